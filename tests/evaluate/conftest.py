from tests.evaluate.finished import finished

__all__ = ["finished"]
