// The page of a map: draws the footprints and the probability picture, and answers the controls.
// It fetches nothing but footprints.pmtiles beside it, and that only where it is too large to be part of the page.

const COLOURS = {
  light: { background: "#e9edf1", seen: 0.988, edge: "#8a95a1", outline: "#1b1f24", selected: "#d6006c" },
  dark: { background: "#0f1215", seen: 0.125, edge: "#59636e", outline: "#e8ecf0", selected: "#ff5fa8" },
};
const colours = () => (dark.matches ? COLOURS.dark : COLOURS.light);

function colourOf(confidence) {
  return facts.palette[Math.round(confidence * (facts.palette.length - 1))];
}

function style() {
  const theme = colours();
  const ramp = ["interpolate", ["linear"], ["get", "confidence"]];
  facts.palette.forEach((colour, i) => ramp.push(i / (facts.palette.length - 1), colour));
  const footprints = { source: "footprints", "source-layer": facts.layer };
  return {
    version: 8,
    sources: {
      ground: { type: "geojson", data: facts.ground },
      probability: pictureSource(facts.picture),
      footprints: { type: "vector", url: "pmtiles://footprints", promoteId: "id" },
    },
    layers: [
      ...groundLayers(theme),
      { id: "edge", type: "line", source: "ground", paint: { "line-color": theme.edge, "line-dasharray": [4, 3] } },
      { id: "fill", type: "fill", ...footprints, paint: { "fill-color": ramp, "fill-antialias": false } },
      {
        id: "outline", type: "line", ...footprints,
        paint: {
          "line-color": theme.outline,
          "line-width": ["interpolate", ["linear"], ["zoom"], 12, 0.2, 15, 0.7, 18, 1.6],
        },
      },
      {
        id: "selected", type: "line", ...footprints, filter: ["==", ["get", "id"], ""],
        paint: { "line-color": theme.selected, "line-width": 3.5 },
      },
    ],
  };
}

function start() {
  prepare();
  const map = openMap("map", style(), "Map of the footprints");
  addControls(map);

  const popup = new globalThis.maplibregl.Popup({ maxWidth: "20rem", focusAfterOpen: false });
  popup.on("close", () => select(null));
  let selected = null;
  let least = element("least") ? Number(element("least").value) : 0;
  const ring = new Ring((i) => facts.largest[i].confidence >= least);

  function select(id) {
    selected = id;
    if (map.getLayer("selected")) map.setFilter("selected", ["==", ["get", "id"], id ?? ""]);
    ring.mark((i) => facts.largest[i].id === id);
  }

  /** Middle of the northern edge of a building as far as its tiles are loaded: a card there hides none of it. */
  function top(id) {
    const filter = ["==", ["get", "id"], id];
    let [west, east, north] = [180, -180, -90];
    for (const { geometry } of map.querySourceFeatures("footprints", { sourceLayer: facts.layer, filter })) {
      const polygons = geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates;
      for (const [lon, lat] of polygons.flat(2)) {
        [west, east, north] = [Math.min(west, lon), Math.max(east, lon), Math.max(north, lat)];
      }
    }
    return west <= east ? [(west + east) / 2, north] : null;
  }

  function describe(building, place) {
    const confidence = building.confidence.toFixed(2);
    const rows = [["Confidence", confidence], ["Area", squareMetres(building.area_m2)], ["Name", building.id]];
    popup.setLngLat(top(building.id) ?? place).setDOMContent(card(rows)).addTo(map);
    select(building.id);
    // The tiles of a place that is far away come later, and finer ones after them.
    map.once("idle", () => {
      if (popup.isOpen() && selected === building.id) popup.setLngLat(top(building.id) ?? place);
    });
    const area = `${Math.round(building.area_m2)} square metres`;
    element("said").textContent = `Building of ${area}, confidence ${confidence}`;
  }

  function visit(index) {
    if (index === null) return;
    const building = facts.largest[index];
    const place = [building.lon, building.lat];
    map.flyTo({ center: place, zoom: Math.max(map.getZoom(), 17), duration: 900 });
    describe(building, place);
    ring.choose(index, element("map"));
  }

  function filter() {
    const kept = [">=", ["get", "confidence"], least];
    map.setFilter("fill", kept);
    map.setFilter("outline", kept);
  }

  function recount() {
    least = Number(element("least").value);
    element("least-value").textContent = least.toFixed(2);
    const from = Math.round(least * facts.histogram.length);
    const shown = facts.histogram.slice(from).reduce((sum, count) => sum + count, 0);
    const all = facts.histogram.reduce((sum, count) => sum + count, 0);
    element("shown").textContent = `${shown.toLocaleString("en")} of ${all.toLocaleString("en")} buildings`;
    document.querySelectorAll(".histogram rect").forEach((bar) => {
      bar.classList.toggle("out", Number(bar.dataset.from) < least - 1e-6);
    });
    ring.filter();
  }

  function show() {
    const footprints = element("show-footprints").checked;
    const probability = element("show-probability").checked;
    for (const id of ["fill", "outline", "selected"]) {
      map.setLayoutProperty(id, "visibility", footprints ? "visible" : "none");
    }
    map.setLayoutProperty("probability", "visibility", probability ? "visible" : "none");
    // Over the picture the outlines are enough, and what lies under them can be seen.
    map.setPaintProperty("fill", "fill-opacity", probability ? 0 : 1);
    const outline = probability ? "#ffffff" : colours().outline;
    map.setPaintProperty("outline", "line-color", outline);
  }

  map.on("click", (event) => {
    const building = featureAt(map, event.point);
    if (building) describe(building, event.lngLat);
  });
  map.on("mousemove", (event) => {
    element("position").textContent = degrees(event.lngLat);
    map.getCanvas().style.cursor = featureAt(map, event.point) ? "pointer" : "";
  });
  map.on("move", () => { element("position").textContent = degrees(map.getCenter()); });
  map.on("error", (event) => {
    const reason = event.error?.message ?? "unknown reason";
    const shut = tilesAreShut("footprints");
    notify(shut
      ? `The footprints lie in ${facts.tiles.footprints} beside this page, where a browser may not read them from a `
        + "folder: open the page from a web server, such as python -m http.server. The probability is shown instead."
      : `The map could not be drawn whole: ${reason}`);
    if (shut && !element("show-probability").checked) element("show-probability").click();
  });

  map.once("load", () => {
    filter();
    show();
    element("show-footprints").addEventListener("change", show);
    element("show-probability").addEventListener("change", show);
    element("least")?.addEventListener("input", () => { recount(); filter(); });
    dark.addEventListener("change", () => { repaint(map, style()); show(); });
    // States of the page that a browser test waits for.
    map.once("idle", () => {
      document.documentElement.dataset.drawn = String(map.queryRenderedFeatures({ layers: ["fill"] }).length);
    });
  });

  ring.buttons.forEach((button, i) => button.addEventListener("click", () => visit(i)));
  onKeys([map], ring, {
    escape: () => popup.remove(),
    n: () => visit(ring.next(1)),
    p: () => visit(ring.next(-1)),
    0: () => map.fitBounds(facts.bounds, { padding: 28 }),
    enter: () => {
      const building = featureAt(map, map.project(map.getCenter()));
      if (building) describe(building, map.getCenter());
      else element("said").textContent = "No building under the cross";
    },
  });
}

document.querySelectorAll(".swatch").forEach((swatch) => {
  swatch.style.backgroundColor = colourOf(Number(swatch.dataset.level));
});
begin(
  start,
  "This browser cannot draw the map (WebGL 2 is missing). The picture shows the probabilities.",
  facts.picture.address,
);
