"""Networks that compare two dates: configuration, base class, bundle, prediction."""
