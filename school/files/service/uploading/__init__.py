"""Uploads that may stop and go on: begun, brought in piece by piece, finished or ended.

    begin     a row says what is coming, and keeps room for it
    append    one piece: its row first, then its bytes as one object at the storage, then, in one
              transaction, the piece's size and checksum and how far the upload is (by compare and
              swap). Any web server can take the next piece; a crash loses the piece in flight.
    finish    all is there: the pieces go, as one stream, the way every file goes (`keeping`). The
              file, what became of the upload and the end of its pieces are one transaction.
    end       given up, refused or too old: the pieces go, and so does the room kept for them

`direct` brings the whole content as one piece, by a signed link, past the piecewise way.
"""
