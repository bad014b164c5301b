"""The pages that patients see, and the cookie that their device keeps."""
