/* Runs before the first paint: "as my device" needs to know the device. */
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("has-script");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => {
    if (!("themeFixed" in root.dataset)) root.dataset.bsTheme = dark.matches ? "dark" : "light";
  };
  follow();
  dark.addEventListener("change", follow);
})();
