/* SHA-256 of a file of any size, piece by piece: the browser's own wants all of it in memory, and
   works on secure pages only. In hex; rejects when the file cannot be read, or the signal stops it. */
(() => {
  "use strict";

  const PIECE = 1024 * 1024;

  window.schoolhouse.sha256 = async (blob, signal) => {
    const sum = window.sha256.create();
    for (let at = 0; at < blob.size; at += PIECE) {
      signal?.throwIfAborted();
      sum.update(await blob.slice(at, at + PIECE).arrayBuffer());
    }
    return sum.hex();
  };
})();
