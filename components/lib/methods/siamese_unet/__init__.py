"""FC-Siam-diff (Daudt et al., ICIP 2018) on a library's encoder: the plain control of change methods."""
