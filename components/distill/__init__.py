"""Stage: train the SAR networks, with an optical teacher beside them or (the controls) without."""
