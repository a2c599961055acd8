"""What the speed proofs measure; the bars are in proofs/speed.py."""
