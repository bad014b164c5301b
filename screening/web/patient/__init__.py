"""The pages that patients see, and what their device keeps."""
