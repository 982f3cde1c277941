"""U-Net whose dates exchange features in the encoder, after Changer (Fang et al., TGRS 2023)."""
