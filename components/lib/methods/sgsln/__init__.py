"""SGSLN (Zhao et al., TGRS 2023): two encoder-decoders that exchange half of their deep channels."""
