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

