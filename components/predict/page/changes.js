// The page of changes: two maps of the same ground under one divider, and the changes on top of both.

const BASE = {
  light: { background: "#e9edf1", seen: 0.988, building: "#aab4be", outline: "#5b6670", selected: "#1b1f24" },
  dark: { background: "#0f1215", seen: 0.125, building: "#525c66", outline: "#8b96a1", selected: "#ffffff" },
};
const SIDES = ["before", "after"];
const colours = () => (dark.matches ? BASE.dark : BASE.light);
const colourOfKind = () => [
  "match", ["get", "kind"],
  ...Object.entries(facts.kinds).flatMap(([kind, shade]) => [kind, dark.matches ? shade.dark : shade.light]),
  "#888888",
];

function fail(message) {
  element("failure-text").textContent = message;
  element("failure").hidden = false;
}

function style(side) {
  const theme = colours();
  const footprints = { source: "footprints", "source-layer": facts.layers.footprints };
  const changes = { source: "changes", "source-layer": facts.layers.changes };
  const picture = facts.pictures[side];
  const removed = ["==", ["get", "kind"], "removed"];
  const width = ["interpolate", ["linear"], ["zoom"], 12, 1.2, 16, 2.5, 18, 3.5];
  return {
    version: 8,
    sources: {
      probability: { type: "image", url: picture.address, coordinates: picture.corners },
      footprints: { type: "vector", url: `pmtiles://${side}` },
      changes: { type: "vector", url: "pmtiles://changes" },
    },
    layers: [
      { id: "background", type: "background", paint: { "background-color": theme.background } },
      // The picture is transparent where there are no data; here all its colours become one.
      {
        id: "seen", type: "raster", source: "probability",
        paint: {
          "raster-brightness-min": theme.seen, "raster-brightness-max": theme.seen,
          "raster-fade-duration": 0, "raster-resampling": "nearest",
        },
      },
      {
        id: "probability", type: "raster", source: "probability", layout: { visibility: "none" },
        paint: { "raster-fade-duration": 0, "raster-resampling": "linear" },
      },
      { id: "building", type: "fill", ...footprints, paint: { "fill-color": theme.building } },
      { id: "outline", type: "line", ...footprints, paint: { "line-color": theme.outline, "line-width": 0.7 } },
      { id: "fill", type: "fill", ...changes, paint: { "fill-color": colourOfKind(), "fill-opacity": 0.45 } },
      // Colour is not all that tells what was removed: its outline is dashed.
      { id: "edge", type: "line", ...changes, filter: ["!", removed], paint: { "line-color": colourOfKind(), "line-width": width } },
      {
        id: "edge-removed", type: "line", ...changes, filter: removed,
        paint: { "line-color": colourOfKind(), "line-width": width, "line-dasharray": [2, 1] },
      },
      {
        id: "selected", type: "line", ...changes, filter: ["==", ["get", "id"], ""],
        paint: { "line-color": theme.selected, "line-width": 4.5 },
      },
    ],
  };
}

function card(change) {
  const list = document.createElement("dl");
  list.className = "card";
  const rows = [
    ["Change", change.kind],
    ["Confidence", change.confidence.toFixed(2)],
    ["Changed ground", `${Math.round(change.area_m2).toLocaleString("en")} m²`],
  ];
  for (const [name, value] of rows) {
    list.appendChild(document.createElement("dt")).textContent = name;
    list.appendChild(document.createElement("dd")).textContent = value;
  }
  return list;
}

function start() {
  const { maplibregl, pmtiles } = globalThis;
  const worker = new Blob([element("maplibre-worker").textContent], { type: "text/javascript" });
  maplibregl.setWorkerUrl(URL.createObjectURL(worker));

  const protocol = new pmtiles.Protocol();
  for (const [name, address] of Object.entries(facts.tiles)) {
    const inline = element(`tiles-${name}`);
    const source = inline ? new InlineSource(inline.textContent, name) : new FileSource(address, name);
    protocol.add(new pmtiles.PMTiles(source));
  }
  maplibregl.addProtocol("pmtiles", protocol.tile);

  const maps = Object.fromEntries(SIDES.map((side) => [side, new maplibregl.Map({
    container: side,
    style: style(side),
    bounds: facts.bounds,
    fitBoundsOptions: { padding: 28 },
    maxZoom: 21,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    locale: { "Map.Title": `Map of the changes, ${side}` },
  })]));
  const { before, after } = maps;
  for (const map of [before, after]) {
    map.touchZoomRotate.disableRotation();
    map.keyboard.disableRotation();
  }
  // One stop of the keyboard is enough: both maps move together.
  after.getCanvas().id = "map-canvas";
  before.getCanvas().tabIndex = -1;
  // What stands above the divider belongs to the upper map, whose canvas alone is cut.
  after.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  after.addControl(new Whole(), "top-right");
  after.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-left");

  let leading = null;
  const follow = (from, to) => {
    if (leading) return;
    leading = from;
    to.jumpTo({ center: from.getCenter(), zoom: from.getZoom() });
    leading = null;
  };
  before.on("move", () => follow(before, after));
  after.on("move", () => follow(after, before));

  const popup = new maplibregl.Popup({ maxWidth: "20rem", focusAfterOpen: false, offset: 14 });
  popup.on("close", () => mark(null));
  const buttons = [...document.querySelectorAll("#buildings button")];
  let chosen = -1;

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
    if (id === null) buttons.forEach((button) => button.setAttribute("aria-current", "false"));
  }

  function describe(change, place, index = -1) {
    popup.setLngLat(place).setDOMContent(card(change)).addTo(after);
    if (change.id) mark(change.id);
    buttons.forEach((button, i) => button.setAttribute("aria-current", String(i === index)));
    const area = `${Math.round(change.area_m2)} square metres`;
    element("said").textContent = `${change.kind}, ${area}, confidence ${change.confidence.toFixed(2)}`;
  }

  function at(map, point) {
    const box = [[point.x - 4, point.y - 4], [point.x + 4, point.y + 4]];
    return (map.queryRenderedFeatures(point, { layers: ["fill"] })[0]
      ?? map.queryRenderedFeatures(box, { layers: ["fill"] })[0])?.properties;
  }

  function visit(index) {
    chosen = index;
    const change = facts.listed[index];
    const place = [change.lon, change.lat];
    after.jumpTo({ center: place, zoom: Math.max(after.getZoom(), 17) });
    describe(change, place, index);
    after.once("idle", () => {
      const found = at(after, after.project(place));
      if (popup.isOpen() && chosen === index && found) mark(found.id);
    });
    if (buttons.includes(document.activeElement)) buttons[index].focus({ preventScroll: true });
    const list = element("buildings");
    const [outer, inner] = [list.getBoundingClientRect(), buttons[index].getBoundingClientRect()];
    list.scrollTop += Math.max(0, inner.bottom - outer.bottom) - Math.max(0, outer.top - inner.top);
    // On a phone the list lies below the map.
    if (narrow.matches) element("stage").scrollIntoView({ block: "nearest" });
  }

  const kindsShown = () => [...document.querySelectorAll(".show-kind:checked")].map((box) => box.value);
  const isShown = (change) => kindsShown().includes(change.kind) && change.confidence >= Number(element("least").value);

  /** Goes to the next listed change that is shown; the list is a ring. */
  function step(by) {
    const count = facts.listed.length;
    for (let i = 1; i <= count; i += 1) {
      const next = chosen < 0 && by < 0 ? count - i : (chosen + by * i + count * count) % count;
      if (isShown(facts.listed[next])) {
        visit(next);
        return;
      }
    }
  }

  function show() {
    const least = Number(element("least").value);
    element("least-value").textContent = least.toFixed(2);
    const wanted = ["all", [">=", ["get", "confidence"], least], ["in", ["get", "kind"], ["literal", kindsShown()]]];
    const removed = ["==", ["get", "kind"], "removed"];
    const visible = (id) => (element(id).checked ? "visible" : "none");
    for (const map of [before, after]) {
      map.setFilter("fill", wanted);
      map.setFilter("edge", ["all", wanted, ["!", removed]]);
      map.setFilter("edge-removed", ["all", wanted, removed]);
      for (const id of ["building", "outline"]) map.setLayoutProperty(id, "visibility", visible("show-footprints"));
      map.setLayoutProperty("probability", "visibility", visible("show-probability"));
      // Over the picture the outlines are enough, and what lies under them can be seen.
      map.setPaintProperty("building", "fill-opacity", element("show-probability").checked ? 0 : 1);
    }
    buttons.forEach((button, i) => { button.parentElement.hidden = !isShown(facts.listed[i]); });
    if (element("none-listed")) element("none-listed").hidden = facts.listed.some(isShown);
  }

  function paint() {
    for (const side of SIDES) {
      const fresh = style(side);
      for (const layer of fresh.layers) {
        for (const [name, value] of Object.entries(layer.paint)) maps[side].setPaintProperty(layer.id, name, value);
      }
    }
    show();
  }

  for (const map of [before, after]) {
    map.on("click", (event) => {
      const change = at(map, event.point);
      if (change) describe(change, event.lngLat);
    });
    map.on("mousemove", (event) => { map.getCanvas().style.cursor = at(map, event.point) ? "pointer" : ""; });
    map.on("error", (event) => {
      const shut = location.protocol === "file:" && !element("tiles-changes");
      element("notice").textContent = shut
        ? "The changes lie beside this page, where a browser may not read them from a folder: open the page from "
          + "a web server, such as python -m http.server."
        : `The maps could not be drawn whole: ${event.error?.message ?? "unknown reason"}`;
      element("notice").hidden = false;
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

  buttons.forEach((button, i) => button.addEventListener("click", () => visit(i)));
  document.addEventListener("keydown", (event) => {
    const onMap = [before, after].some((map) => event.target === map.getCanvas());
    const key = event.key.toLowerCase();
    if (key === "escape") popup.remove();
    // Letters act on the map and on the list alone: elsewhere they belong to the browser and to speech input.
    if (event.ctrlKey || event.metaKey || event.altKey || !(onMap || buttons.includes(event.target))) return;
    if (key === "n") step(1);
    else if (key === "p") step(-1);
    else if (key === "b") divide(share() === 100 ? 50 : 100);
    else if (key === "a") divide(share() === 0 ? 50 : 0);
    else if (key === "0") after.fitBounds(facts.bounds, { padding: 28 });
    else if (key === "enter" && onMap) {
      const change = at(after, after.project(after.getCenter()));
      if (change) describe(change, after.getCenter());
      else element("said").textContent = "No change under the cross";
    }
  });
}

if (document.createElement("canvas").getContext("webgl2")) start();
else fail("This browser cannot draw the maps (WebGL 2 is missing).");
