"""Small pictures of pictures, for lists: made by a job, kept like any content, gone with theirs."""
