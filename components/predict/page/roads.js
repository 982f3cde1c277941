// The page of a map of roads: draws the roads over the probability picture, and answers the controls.
// It fetches nothing but roads.pmtiles beside it, and that only where it is too large to be part of the page.

const COLOURS = {
  light: { background: "#e9edf1", seen: 0.988, edge: "#8a95a1", road: "#b0005a", casing: "#ffffff", selected: "#005a8f" },
  dark: { background: "#0f1215", seen: 0.125, edge: "#59636e", road: "#ff7ab8", casing: "#16191d", selected: "#7cc4f5" },
};
// The picture is the same in light and dark: so are lines over it.
const OVER_PICTURE = { road: "#ffffff", casing: "#1b1f24", selected: "#ff5fa8" };

const dashed = [4, 3];

/** Width of lines on the screen: of a road of 3 m and of one of 20 m, by zoom. */
function widths(more) {
  const at = (narrow, wide) => ["interpolate", ["linear"], ["get", "width_m"], 3, narrow + more, 20, wide + more];
  return ["interpolate", ["linear"], ["zoom"], 12, at(0.6, 1.6), 15, at(1.4, 3.4), 18, at(2.6, 6.5)];
}

function style(overPicture) {
  const theme = dark.matches ? COLOURS.dark : COLOURS.light;
  const line = overPicture ? OVER_PICTURE : theme;
  const roads = { type: "line", source: "roads", "source-layer": facts.layer, layout: { "line-cap": "round", "line-join": "round" } };
  return {
    version: 8,
    sources: {
      ground: { type: "geojson", data: facts.ground },
      probability: pictureSource(facts.picture),
      roads: { type: "vector", url: "pmtiles://roads", promoteId: "id" },
    },
    layers: [
      ...groundLayers(theme),
      { id: "edge", type: "line", source: "ground", paint: { "line-color": theme.edge, "line-dasharray": dashed } },
      { id: "casing", ...roads, paint: { "line-color": line.casing, "line-width": widths(2) } },
      { id: "road", ...roads, paint: { "line-color": line.road, "line-width": widths(0) } },
      {
        id: "selected", ...roads, filter: ["==", ["get", "id"], ""],
        paint: { "line-color": line.selected, "line-width": widths(3) },
      },
    ],
  };
}

const metres = (length) => `${length.toLocaleString("en", { maximumFractionDigits: length < 100 ? 1 : 0 })} m`;

function start() {
  prepare();
  const map = openMap("map", style(true), "Map of the roads");
  addControls(map);

  const popup = new globalThis.maplibregl.Popup({ maxWidth: "20rem", focusAfterOpen: false });
  popup.on("close", () => select(null));
  const ring = new Ring(() => true, "roads");

  function select(id) {
    if (map.getLayer("selected")) map.setFilter("selected", ["==", ["get", "id"], id ?? ""]);
    ring.mark((i) => facts.longest[i].id === id);
  }

  function describe(road, place) {
    const speed = `${Math.round(road.speed_kmh)} km/h, inferred`;
    const rows = [
      ["Length", metres(road.length_m)], ["Width", metres(road.width_m)], ["Speed", speed],
      ["Passed in", `${road.travel_s.toFixed(1)} s`], ["Name", road.id],
    ];
    popup.setLngLat(place).setDOMContent(card(rows)).addTo(map);
    select(road.id);
    element("said").textContent = `Road of ${Math.round(road.length_m)} metres, ${road.width_m.toFixed(1)} metres wide`;
  }

  function visit(index) {
    if (index === null) return;
    const road = facts.longest[index];
    const place = [road.lon, road.lat];
    map.flyTo({ center: place, zoom: Math.max(map.getZoom(), 16), duration: 900 });
    describe(road, place);
    ring.choose(index, element("map"));
  }

  function show() {
    const roads = element("show-roads").checked;
    const probability = element("show-probability").checked;
    for (const id of ["casing", "road", "selected"]) {
      map.setLayoutProperty(id, "visibility", roads ? "visible" : "none");
    }
    map.setLayoutProperty("probability", "visibility", probability ? "visible" : "none");
    repaint(map, style(probability));
  }

  const roadAt = (point) => featureAt(map, point, 6, "road");

  map.on("click", (event) => {
    const road = roadAt(event.point);
    if (road) describe(road, event.lngLat);
  });
  map.on("mousemove", (event) => {
    element("position").textContent = degrees(event.lngLat);
    map.getCanvas().style.cursor = roadAt(event.point) ? "pointer" : "";
  });
  map.on("move", () => { element("position").textContent = degrees(map.getCenter()); });
  map.on("error", (event) => {
    const reason = event.error?.message ?? "unknown reason";
    notify(tilesAreShut("roads")
      ? `The roads lie in ${facts.tiles.roads} beside this page, where a browser may not read them from a folder: `
        + "open the page from a web server, such as python -m http.server."
      : `The map could not be drawn whole: ${reason}`);
  });

  map.once("load", () => {
    show();
    element("show-roads").addEventListener("change", show);
    element("show-probability").addEventListener("change", show);
    dark.addEventListener("change", show);
    // States of the page that a browser test waits for.
    map.once("idle", () => {
      document.documentElement.dataset.drawn = String(map.queryRenderedFeatures({ layers: ["road"] }).length);
    });
  });

  ring.buttons.forEach((button, i) => button.addEventListener("click", () => visit(i)));
  onKeys([map], ring, {
    escape: () => popup.remove(),
    n: () => visit(ring.next(1)),
    p: () => visit(ring.next(-1)),
    0: () => map.fitBounds(facts.bounds, { padding: 28 }),
    enter: () => {
      const road = roadAt(map.project(map.getCenter()));
      if (road) describe(road, map.getCenter());
      else element("said").textContent = "No road under the cross";
    },
  });
}

begin(
  start,
  "This browser cannot draw the map (WebGL 2 is missing). The picture shows the probabilities.",
  facts.picture.address,
);
