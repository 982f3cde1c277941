"""Files that hand an evaluation from the stage that scores to the stage that reports."""
