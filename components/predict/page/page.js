// The page of a map: draws the footprints and the probability picture, and answers the controls.
// It fetches nothing but footprints.pmtiles beside it, and that only where it is too large to be part of the page.

const COLOURS = {
  light: { background: "#e9edf1", seen: 0.988, edge: "#8a95a1", outline: "#1b1f24", selected: "#d6006c" },
  dark: { background: "#0f1215", seen: 0.125, edge: "#59636e", outline: "#e8ecf0", selected: "#ff5fa8" },
};
const colours = () => (dark.matches ? COLOURS.dark : COLOURS.light);

function fail(message) {
  element("failure-text").textContent = message;
  element("failure-picture").src = facts.picture.address;
  element("failure").hidden = false;
}

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
      probability: { type: "image", url: facts.picture.address, coordinates: facts.picture.corners },
      footprints: { type: "vector", url: "pmtiles://map", promoteId: "id" },
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

function card(building) {
  const list = document.createElement("dl");
  list.className = "card";
  const rows = [
    ["Confidence", building.confidence.toFixed(2)],
    ["Area", `${Math.round(building.area_m2).toLocaleString("en")} m²`],
    ["Name", building.id],
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

  const inline = element("tiles");
  const protocol = new pmtiles.Protocol();
  protocol.add(new pmtiles.PMTiles(inline ? new InlineSource(inline.textContent, "map") : new FileSource(facts.tiles, "map")));
  maplibregl.addProtocol("pmtiles", protocol.tile);

  const map = new maplibregl.Map({
    container: "map",
    style: style(),
    bounds: facts.bounds,
    fitBoundsOptions: { padding: 28 },
    maxZoom: 21,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    locale: { "Map.Title": "Map of the footprints" },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  map.getCanvas().id = "map-canvas";
  map.addControl(new maplibregl.NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new Whole(), "top-right");
  map.addControl(new maplibregl.ScaleControl({ maxWidth: 120 }), "bottom-left");

  const popup = new maplibregl.Popup({ maxWidth: "20rem", focusAfterOpen: false });
  popup.on("close", () => select(null));
  let chosen = -1;
  let selected = null;
  let least = element("least") ? Number(element("least").value) : 0;
  const buttons = [...document.querySelectorAll("#buildings button")];

  function select(id) {
    selected = id;
    if (map.getLayer("selected")) map.setFilter("selected", ["==", ["get", "id"], id ?? ""]);
    buttons.forEach((button, i) => button.setAttribute("aria-current", String(facts.largest[i].id === id)));
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
    popup.setLngLat(top(building.id) ?? place).setDOMContent(card(building)).addTo(map);
    select(building.id);
    // The tiles of a place that is far away come later, and finer ones after them.
    map.once("idle", () => {
      if (popup.isOpen() && selected === building.id) popup.setLngLat(top(building.id) ?? place);
    });
    const area = `${Math.round(building.area_m2)} square metres`;
    element("said").textContent = `Building of ${area}, confidence ${building.confidence.toFixed(2)}`;
  }

  function visit(index) {
    chosen = index;
    const building = facts.largest[index];
    const place = [building.lon, building.lat];
    map.flyTo({ center: place, zoom: Math.max(map.getZoom(), 17), duration: 900 });
    describe(building, place);
    if (buttons.includes(document.activeElement)) buttons[index].focus({ preventScroll: true });
    uncover(buttons[index]);
    // On a phone the list lies below the map.
    if (narrow.matches) element("map").scrollIntoView({ block: "nearest" });
  }

  /** Scrolls the list, and nothing but the list, until a button of it can be seen. */
  function uncover(button) {
    const list = element("buildings");
    const [outer, inner] = [list.getBoundingClientRect(), button.getBoundingClientRect()];
    list.scrollTop += Math.max(0, inner.bottom - outer.bottom) - Math.max(0, outer.top - inner.top);
  }

  /** Goes to the next listed building that is shown; the list is a ring. */
  function step(by) {
    const count = facts.largest.length;
    for (let i = 1; i <= count; i += 1) {
      const next = chosen < 0 && by < 0 ? count - i : (chosen + by * i + count * count) % count;
      if (facts.largest[next].confidence >= least) {
        visit(next);
        return;
      }
    }
  }

  function at(point) {
    const margin = 4;
    const box = [[point.x - margin, point.y - margin], [point.x + margin, point.y + margin]];
    const found = map.queryRenderedFeatures(point, { layers: ["fill"] })[0]
      ?? map.queryRenderedFeatures(box, { layers: ["fill"] })[0];
    return found?.properties;
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
    buttons.forEach((button, i) => { button.parentElement.hidden = facts.largest[i].confidence < least; });
    element("none-listed").hidden = facts.largest.some((building) => building.confidence >= least);
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

  function paint() {
    const theme = colours();
    map.setPaintProperty("background", "background-color", theme.background);
    for (const end of ["min", "max"]) map.setPaintProperty("seen", `raster-brightness-${end}`, theme.seen);
    map.setPaintProperty("edge", "line-color", theme.edge);
    map.setPaintProperty("selected", "line-color", theme.selected);
    show();
  }

  map.on("click", (event) => {
    const building = at(event.point);
    if (building) describe(building, event.lngLat);
  });
  map.on("mousemove", (event) => {
    element("position").textContent = degrees(event.lngLat);
    map.getCanvas().style.cursor = at(event.point) ? "pointer" : "";
  });
  map.on("move", () => { element("position").textContent = degrees(map.getCenter()); });
  map.on("error", (event) => {
    const reason = event.error?.message ?? "unknown reason";
    const shut = !inline && location.protocol === "file:";
    element("notice").textContent = shut
      ? `The footprints lie in ${facts.tiles} beside this page, where a browser may not read them from a folder: `
        + "open the page from a web server, such as python -m http.server. The probability is shown instead."
      : `The map could not be drawn whole: ${reason}`;
    element("notice").hidden = false;
    if (shut && !element("show-probability").checked) element("show-probability").click();
  });

  map.once("load", () => {
    filter();
    show();
    element("show-footprints").addEventListener("change", show);
    element("show-probability").addEventListener("change", show);
    element("least")?.addEventListener("input", () => { recount(); filter(); });
    dark.addEventListener("change", paint);
    // States of the page that a browser test waits for.
    map.once("idle", () => {
      document.documentElement.dataset.drawn = String(map.queryRenderedFeatures({ layers: ["fill"] }).length);
    });
  });

  buttons.forEach((button, i) => button.addEventListener("click", () => visit(i)));
  document.addEventListener("keydown", (event) => {
    const onMap = event.target === map.getCanvas();
    const key = event.key.toLowerCase();
    if (key === "escape") popup.remove();
    // Letters act on the map and on the list alone: elsewhere they belong to the browser and to speech input.
    if (event.ctrlKey || event.metaKey || event.altKey || !(onMap || buttons.includes(event.target))) return;
    if (key === "n") step(1);
    else if (key === "p") step(-1);
    else if (key === "0") map.fitBounds(facts.bounds, { padding: 28 });
    else if (key === "enter" && onMap) {
      const building = at(map.project(map.getCenter()));
      if (building) describe(building, map.getCenter());
      else element("said").textContent = "No building under the cross";
    }
  });
}

document.querySelectorAll(".swatch").forEach((swatch) => {
  swatch.style.backgroundColor = colourOf(Number(swatch.dataset.level));
});
if (document.createElement("canvas").getContext("webgl2")) start();
else fail("This browser cannot draw the map (WebGL 2 is missing). The picture shows the probabilities.");
