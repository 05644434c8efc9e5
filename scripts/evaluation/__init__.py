"""Evaluation: benchmark scores item by item, bits per byte, and the gate that a base passes before a student is trained."""
