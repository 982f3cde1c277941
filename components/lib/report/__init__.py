"""The picture report: content as data, pictures from arrays, one self-contained HTML folder."""
