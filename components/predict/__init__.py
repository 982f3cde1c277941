"""Maps: from scenes and a promoted model to footprints that people can open."""
