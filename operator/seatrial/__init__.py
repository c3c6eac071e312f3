"""Seatrial: a sea trial for every change on Istio."""

__version__ = "0.1.0"
