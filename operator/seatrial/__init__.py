"""Seatrial: a sea trial for every change on Istio."""
