// The page of changes: two maps of the same ground under one divider, and the changes on top of both.

const BASE = {
  light: { background: "#e9edf1", seen: 0.988, building: "#aab4be", outline: "#5b6670", selected: "#1b1f24" },
  dark: { background: "#0f1215", seen: 0.125, building: "#525c66", outline: "#8b96a1", selected: "#ffffff" },
};
const SIDES = ["before", "after"];
const REMOVED = ["==", ["get", "kind"], "removed"];
const colours = () => (dark.matches ? BASE.dark : BASE.light);
const colourOfKind = () => [
  "match", ["get", "kind"],
  ...Object.entries(facts.kinds).flatMap(([kind, shade]) => [kind, dark.matches ? shade.dark : shade.light]),
  "#888888",
];

function style(side) {
  const theme = colours();
  const footprints = { source: "footprints", "source-layer": facts.layers.footprints };
  const changes = { source: "changes", "source-layer": facts.layers.changes };
  const width = ["interpolate", ["linear"], ["zoom"], 12, 1.2, 16, 2.5, 18, 3.5];
  return {
    version: 8,
    sources: {
      probability: pictureSource(facts.pictures[side]),
      footprints: { type: "vector", url: `pmtiles://${side}` },
      changes: { type: "vector", url: "pmtiles://changes" },
    },
    layers: [
      ...groundLayers(theme),
      { id: "building", type: "fill", ...footprints, paint: { "fill-color": theme.building } },
      { id: "outline", type: "line", ...footprints, paint: { "line-color": theme.outline, "line-width": 0.7 } },
      { id: "fill", type: "fill", ...changes, paint: { "fill-color": colourOfKind(), "fill-opacity": 0.45 } },
      // Colour is not all that tells what was removed: its outline is dashed.
      {
        id: "edge", type: "line", ...changes, filter: ["!", REMOVED],
        paint: { "line-color": colourOfKind(), "line-width": width },
      },
      {
        id: "edge-removed", type: "line", ...changes, filter: REMOVED,
        paint: { "line-color": colourOfKind(), "line-width": width, "line-dasharray": [2, 1] },
      },
      {
        id: "selected", type: "line", ...changes, filter: ["==", ["get", "id"], ""],
        paint: { "line-color": theme.selected, "line-width": 4.5 },
      },
    ],
  };
}

function start() {
  prepare();
  const before = openMap("before", style("before"), "Map of the changes, before");
  const after = openMap("after", style("after"), "Map of the changes, after");
  const maps = { before, after };
  // One stop of the keyboard is enough: both maps move together. What stands above the divider belongs to the
  // upper map, whose canvas alone is cut.
  before.getCanvas().tabIndex = -1;
  addControls(after);

  let leading = null;
  const follow = (from, to) => {
    if (leading) return;
    leading = from;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
    leading = null;
  };
  before.on("move", () => follow(before, after));
  after.on("move", () => follow(after, before));

  const popup = new globalThis.maplibregl.Popup({ maxWidth: "20rem", focusAfterOpen: false, offset: 14 });
  popup.on("close", () => mark(null));
  const kindsShown = () => [...document.querySelectorAll(".show-kind:checked")].map((box) => box.value);
  const isShown = (change) => kindsShown().includes(change.kind) && change.confidence >= Number(element("least").value);
  const ring = new Ring((i) => isShown(facts.listed[i]));

  const share = () => Number(element("divide").value);
  function divide(percent) {
    element("divide").value = percent;
    element("stage").style.setProperty("--at", `${percent}%`);
    after.getCanvasContainer().style.clipPath = `inset(0 0 0 ${percent}%)`;
  }

  function mark(id) {
    for (const map of [before, after]) {
      if (map.getLayer("selected")) map.setFilter("selected", ["==", ["get", "id"], id ?? ""]);
    }
    if (id === null) ring.mark(() => false);
  }

  function describe(change, place, index = -1) {
    const confidence = change.confidence.toFixed(2);
    const ground = squareMetres(change.area_m2);
    const rows = [["Change", change.kind], ["Confidence", confidence], ["Changed ground", ground]];
    popup.setLngLat(place).setDOMContent(card(rows)).addTo(after);
    if (change.id) mark(change.id);
    ring.mark((i) => i === index);
    const area = `${Math.round(change.area_m2)} square metres`;
    element("said").textContent = `${change.kind}, ${area}, confidence ${confidence}`;
  }

  function visit(index) {
    if (index === null) return;
    const change = facts.listed[index];
    const place = [change.lon, change.lat];
    after.jumpTo({ center: place, zoom: Math.max(after.getZoom(), 17) });
    describe(change, place, index);
    ring.choose(index, element("stage"));
    after.once("idle", () => {
      const found = featureAt(after, after.project(place));
      if (popup.isOpen() && ring.chosen === index && found) mark(found.id);
    });
  }

  function show() {
    const least = Number(element("least").value);
    element("least-value").textContent = least.toFixed(2);
    const wanted = ["all", [">=", ["get", "confidence"], least], ["in", ["get", "kind"], ["literal", kindsShown()]]];
    const visible = (id) => (element(id).checked ? "visible" : "none");
    for (const map of [before, after]) {
      map.setFilter("fill", wanted);
      map.setFilter("edge", ["all", wanted, ["!", REMOVED]]);
      map.setFilter("edge-removed", ["all", wanted, REMOVED]);
      for (const id of ["building", "outline"]) map.setLayoutProperty(id, "visibility", visible("show-footprints"));
      map.setLayoutProperty("probability", "visibility", visible("show-probability"));
      // Over the picture the outlines are enough, and what lies under them can be seen.
      map.setPaintProperty("building", "fill-opacity", element("show-probability").checked ? 0 : 1);
    }
    ring.filter();
  }

  function paint() {
    for (const side of SIDES) repaint(maps[side], style(side));
    show();
  }

  for (const map of [before, after]) {
    map.on("click", (event) => {
      const change = featureAt(map, event.point);
      if (change) describe(change, event.lngLat);
    });
    map.on("mousemove", (event) => { map.getCanvas().style.cursor = featureAt(map, event.point) ? "pointer" : ""; });
    map.on("error", (event) => {
      const shut = Object.keys(facts.tiles).some(tilesAreShut);
      const missing = tilesAreShut("changes") ? "changes and footprints" : "footprints";
      notify(shut
        ? `The ${missing} lie beside this page, where a browser may not read them from a folder: open the page from `
          + "a web server, such as python -m http.server. The probability is shown instead."
        : `The maps could not be drawn whole: ${event.error?.message ?? "unknown reason"}`);
      if (shut && !element("show-probability").checked) element("show-probability").click();
    });
  }

  const loaded = [before, after].map((map) => new Promise((resolve) => { map.once("load", resolve); }));
  Promise.all(loaded).then(() => {
    show();
    divide(50);
    element("divide").addEventListener("input", () => divide(share()));
    for (const id of ["show-footprints", "show-probability"]) element(id).addEventListener("change", show);
    for (const box of document.querySelectorAll(".show-kind")) box.addEventListener("change", show);
    element("least").addEventListener("input", show);
    dark.addEventListener("change", paint);
    // State of the page that a browser test waits for.
    after.once("idle", () => {
      document.documentElement.dataset.drawn = String(after.queryRenderedFeatures({ layers: ["fill"] }).length);
    });
  });

  ring.buttons.forEach((button, i) => button.addEventListener("click", () => visit(i)));
  onKeys([before, after], ring, {
    escape: () => popup.remove(),
    n: () => visit(ring.next(1)),
    p: () => visit(ring.next(-1)),
    b: () => divide(share() === 100 ? 50 : 100),
    a: () => divide(share() === 0 ? 50 : 0),
    0: () => after.fitBounds(facts.bounds, { padding: 28 }),
    enter: () => {
      const change = featureAt(after, after.project(after.getCenter()));
      if (change) describe(change, after.getCenter());
      else element("said").textContent = "No change under the cross";
    },
  });
}

begin(start, "This browser cannot draw the maps (WebGL 2 is missing).");
