"""STAC catalogue of maps and of the models that made them, in an object store or a folder.

Items are created once and never written again; documents that link to them are made anew from what is there.
"""
