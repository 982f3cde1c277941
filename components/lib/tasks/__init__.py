"""Prediction targets: label layers, post-processing and metric of each."""
