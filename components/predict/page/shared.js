"use strict";
// What the pages of a map and of changes share; it stands before either page's own script.

const facts = JSON.parse(document.getElementById("facts").textContent);
const element = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 52rem)");

/** Source of PMTiles that are part of the page, as base64. */
class InlineSource {
  constructor(text, name) {
    this.name = name;
    const bytes = atob(text);
    this.data = Uint8Array.from(bytes, (character) => character.charCodeAt(0)).buffer;
  }
  getKey() {
    return this.name;
  }
  async getBytes(offset, length) {
    return { data: this.data.slice(offset, offset + length) };
  }
}

/** Source of PMTiles beside the page. A server that ignores Range sends the whole file, which is then kept. */
class FileSource {
  constructor(address, name) {
    this.name = name;
    this.address = address;
    this.whole = null;
  }
  getKey() {
    return this.name;
  }
  async getBytes(offset, length, signal) {
    if (this.whole) return { data: (await this.whole).slice(offset, offset + length) };
    const answer = await fetch(this.address, {
      headers: { Range: `bytes=${offset}-${offset + length - 1}` },
      signal,
    });
    if (answer.status === 206) return { data: await answer.arrayBuffer() };
    if (!answer.ok) throw new Error(`${this.address}: ${answer.status} ${answer.statusText}`);
    const whole = answer.arrayBuffer();
    whole.catch(() => { this.whole = null; });
    this.whole = whole;
    return { data: (await whole).slice(offset, offset + length) };
  }
}

function degrees({ lng, lat }) {
  const north = `${Math.abs(lat).toFixed(5)}° ${lat < 0 ? "S" : "N"}`;
  return `${north}, ${Math.abs(lng).toFixed(5)}° ${lng < 0 ? "W" : "E"}`;
}

/** Button that shows the whole scene. */
class Whole {
  onAdd(map) {
    this.box = document.createElement("div");
    this.box.className = "maplibregl-ctrl maplibregl-ctrl-group";
    const button = this.box.appendChild(document.createElement("button"));
    button.type = "button";
    button.className = "whole";
    button.title = "Whole scene";
    button.setAttribute("aria-label", "Whole scene");
    const icon = button.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "svg"));
    icon.setAttribute("viewBox", "0 0 20 20");
    icon.setAttribute("aria-hidden", "true");
    const corners = icon.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "path"));
    corners.setAttribute("d", "M3 7V3h4M13 3h4v4M17 13v4h-4M7 17H3v-4");
    button.addEventListener("click", () => map.fitBounds(facts.bounds, { padding: 28 }));
    return this.box;
  }
  onRemove() {
    this.box.remove();
  }
}


/** Says why there is no map; a page that has a picture shows it instead. */
function fail(message, picture) {
  element("failure-text").textContent = message;
  if (picture) element("failure-picture").src = picture;
  element("failure").hidden = false;
}

function notify(message) {
  element("notice").textContent = message;
  element("notice").hidden = false;
}

/** Whether the tiles lie beside a page that was opened from a folder, where a browser may not read them. */
const tilesAreShut = (name) => !element(`tiles-${name}`) && location.protocol === "file:";

/** Lets MapLibre work from this page alone: its worker, and the archives of `facts.tiles` by their names. */
function prepare() {
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
}

/** Map of the whole scene that cannot be turned or tilted. */
function openMap(container, style, title) {
  const map = new globalThis.maplibregl.Map({
    container,
    style,
    bounds: facts.bounds,
    fitBoundsOptions: { padding: 28 },
    maxZoom: 21,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    touchPitch: false,
    locale: { "Map.Title": title },
  });
  map.touchZoomRotate.disableRotation();
  map.keyboard.disableRotation();
  return map;
}

/** Adds zoom, the whole scene and the scale, and makes the map the one that the keyboard reaches. */
function addControls(map) {
  const { NavigationControl, ScaleControl } = globalThis.maplibregl;
  map.getCanvas().id = "map-canvas";
  map.addControl(new NavigationControl({ showCompass: false }), "top-right");
  map.addControl(new Whole(), "top-right");
  map.addControl(new ScaleControl({ maxWidth: 120 }), "bottom-left");
}

const pictureSource = (picture) => ({ type: "image", url: picture.address, coordinates: picture.corners });

/** Layers below all others: the ground, its part with data, and the probability, which is not shown at first. */
function groundLayers(theme) {
  return [
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
  ];
}

/** Paints a map in the colours of a style anew, as after a change between light and dark. */
function repaint(map, { layers }) {
  for (const layer of layers) {
    for (const [name, value] of Object.entries(layer.paint)) map.setPaintProperty(layer.id, name, value);
  }
}

/** Feature of a layer under a point, or near it: fingers are wide. */
function featureAt(map, point, margin = 4, layer = "fill") {
  const box = [[point.x - margin, point.y - margin], [point.x + margin, point.y + margin]];
  const layers = [layer];
  return (map.queryRenderedFeatures(point, { layers })[0] ?? map.queryRenderedFeatures(box, { layers })[0])?.properties;
}

/** Description of a feature as a list of names and values. */
function card(rows) {
  const list = document.createElement("dl");
  list.className = "card";
  for (const [name, value] of rows) {
    list.appendChild(document.createElement("dt")).textContent = name;
    list.appendChild(document.createElement("dd")).textContent = value;
  }
  return list;
}

const squareMetres = (area) => `${Math.round(area).toLocaleString("en")} m²`;

/** List of features that N and P go through: a ring of those that are shown. */
class Ring {
  constructor(shown, list = "buildings") {
    this.list = list;
    this.buttons = [...document.querySelectorAll(`#${list} button`)];
    this.shown = shown;
    this.chosen = -1;
  }
  /** Index of the next one that is shown, forwards or backwards; null if none is. */
  next(by) {
    const count = this.buttons.length;
    for (let i = 1; i <= count; i += 1) {
      const index = this.chosen < 0 && by < 0 ? count - i : (this.chosen + by * i + count * count) % count;
      if (this.shown(index)) return index;
    }
    return null;
  }
  /** Makes one the chosen, and scrolls the list, and nothing but the list, until its button can be seen. */
  choose(index, stage) {
    this.chosen = index;
    const button = this.buttons[index];
    if (this.buttons.includes(document.activeElement)) button.focus({ preventScroll: true });
    const list = element(this.list);
    const [outer, inner] = [list.getBoundingClientRect(), button.getBoundingClientRect()];
    list.scrollTop += Math.max(0, inner.bottom - outer.bottom) - Math.max(0, outer.top - inner.top);
    // On a phone the list lies below the map.
    if (narrow.matches) stage.scrollIntoView({ block: "nearest" });
  }
  mark(isCurrent) {
    this.buttons.forEach((button, i) => button.setAttribute("aria-current", String(isCurrent(i))));
  }
  /** Hides what is not shown, and says so if nothing is. */
  filter() {
    const shown = this.buttons.map((_, i) => this.shown(i));
    this.buttons.forEach((button, i) => { button.parentElement.hidden = !shown[i]; });
    if (element("none-listed")) element("none-listed").hidden = shown.includes(true);
  }
}

/** Acts on keys. Letters act on maps and list alone: elsewhere they belong to the browser and to speech input. */
function onKeys(maps, ring, actions) {
  document.addEventListener("keydown", (event) => {
    const onMap = maps.some((map) => event.target === map.getCanvas());
    const key = event.key.toLowerCase();
    if (key === "escape") actions.escape();
    if (event.ctrlKey || event.metaKey || event.altKey || !(onMap || ring.buttons.includes(event.target))) return;
    if (key === "enter" ? onMap : key !== "escape") actions[key]?.();
  });
}

/** Starts the page where the browser can draw it; `message` says what is missing otherwise. */
function begin(start, message, picture) {
  if (document.createElement("canvas").getContext("webgl2")) start();
  else fail(message, picture);
}

