"""Training methods, one module each; the section `methods` of ``params.yaml`` lists them."""
