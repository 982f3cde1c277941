"""Stage: train the optical teachers on the optical images of the SAR tiles, with the SAR release's labels."""
