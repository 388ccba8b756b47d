// Plays recordings of the robot on a page: three.js draws, everything else is below.
// Part of the page viewer.html; viewer.py fills in the data (see `_robot_data` there for its form).
"use strict";

const $ = (id) => document.getElementById(id);
const MARKS = ["●", "▲", "■", "◆", "★"]; // one per robot, so that colour is never alone
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00"];
const LANE = 0.9; // m between robots that share the scene
const VIEWS = [[-0.35, -1.1, 0.42], [0.0, -1.2, 0.06], [1.0, -0.65, 0.35], [-1.15, -0.15, 0.5],
               [-0.01, -0.05, 1.5]]; // camera - robot, m: three-quarter, side, front, behind, above

async function unpack(id) {
  const bytes = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

const left = () => parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--left"));
const fixed = (number) => (Math.round(number * 100) / 100 + 0).toFixed(2); // never "-0.00"

function undelta(rows, unit) { // rows of integers, each the difference from the row before
  const sum = new Array(rows[0].length).fill(0);
  return rows.map((row) => Float32Array.from(row, (d, i) => (sum[i] += d) * unit));
}

// ---- the world -------------------------------------------------------------------------------

function paint(width, height, draw) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  draw(canvas.getContext("2d"));
  const texture = new THREE.CanvasTexture(canvas);
  texture.colorSpace = THREE.SRGBColorSpace;
  return texture;
}

function text(string, colour, size, background) { // size: height in m
  const font = "600 44px system-ui, sans-serif";
  const probe = document.createElement("canvas").getContext("2d");
  probe.font = font;
  const width = Math.ceil(probe.measureText(string).width) + 16;
  const texture = paint(width, 64, (ctx) => {
    if (background) { ctx.fillStyle = background; ctx.fillRect(0, 0, width, 64); }
    ctx.font = font; ctx.fillStyle = colour; ctx.textBaseline = "middle";
    ctx.fillText(string, 8, 34);
  });
  return { texture, width: size * width / 64, height: size };
}

function makeGround(dark) { // squares of 1 m, in a tile of 2 m
  const [a, b, line] = dark ? ["#2b343d", "#303a44", "#596875"] : ["#d3dce4", "#dbe3ea", "#a3b1bd"];
  const tile = paint(512, 512, (ctx) => {
    ctx.fillStyle = a; ctx.fillRect(0, 0, 512, 512);
    ctx.fillStyle = b; ctx.fillRect(0, 0, 256, 256); ctx.fillRect(256, 256, 256, 256);
    ctx.fillStyle = line;
    for (const x of [0, 254, 510]) { ctx.fillRect(x, 0, 3, 512); ctx.fillRect(0, x, 512, 3); }
  });
  tile.wrapS = tile.wrapT = THREE.RepeatWrapping;
  tile.repeat.set(40, 40);
  tile.anisotropy = 2; // each step more costs as much as the shadow where no GPU draws
  return tile;
}

function geometry(shape, meshes) {
  const [x, y, z] = shape.size;
  if (shape.kind === "box") return new THREE.BoxGeometry(x, y, z);
  if (shape.kind === "sphere") return new THREE.SphereGeometry(x, 24, 16);
  if (shape.kind === "cylinder") return new THREE.CylinderGeometry(y, y, x, 32).rotateX(Math.PI / 2);
  const mesh = meshes[shape.mesh];
  const result = new THREE.BufferGeometry();
  result.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(mesh.vertices), 3));
  result.setAttribute("uv", new THREE.BufferAttribute(Float32Array.from(mesh.uvs), 2));
  result.scale(x, y, z).computeVertexNormals();
  return result;
}

function tinted(geometry, colour, alpha = 1) { // the colour at each corner: one material for all
  const count = geometry.attributes.position.count;
  const rgba = Float32Array.from({ length: 4 * count }, (_, i) => [...colour, alpha][i % 4]);
  return geometry.setAttribute("color", new THREE.BufferAttribute(rgba, 4));
}

function plainParts(shapes, meshes) { // of a link, as one: the fewer parts, the faster
  const parts = shapes.map((shape) => {
    const colour = new THREE.Color().setRGB(...shape.rgba.slice(0, 3), THREE.SRGBColorSpace);
    return tinted(geometry(shape, meshes), colour)
      .applyQuaternion(new THREE.Quaternion(...shape.quaternion)).translate(...shape.position);
  });
  return new THREE.Mesh(THREE.mergeGeometries(parts), new THREE.MeshLambertMaterial({ vertexColors: true }));
}

function texturedPart(shape, meshes) {
  const map = new THREE.TextureLoader().load(meshes[shape.mesh].texture, () => { dirty = true; });
  map.colorSpace = THREE.SRGBColorSpace;
  const mesh = new THREE.Mesh(geometry(shape, meshes), new THREE.MeshLambertMaterial({ map }));
  mesh.position.set(...shape.position);
  mesh.quaternion.set(...shape.quaternion);
  return mesh;
}

class Robot {
  constructor(data, index, count, meshes) {
    Object.assign(this, data);
    this.poses = undelta(data.poses, 1e-4);
    this.feet = undelta(data.feet, 1e-4);
    this.colour = COLOURS[index % COLOURS.length];
    this.name = count > 1 ? `${MARKS[index % MARKS.length]} ${data.label}` : data.label;
    this.duration = (this.poses.length - 1) * this.dt;
    this.totals = [];
    data.reward.reduce((sum, r, i) => (this.totals[i] = sum + r), 0);
    this.group = new THREE.Group();
    this.group.position.y = (index - (count - 1) / 2) * LANE; // the first is nearest
    this.links = Array.from({ length: this.poses[0].length / 7 }, () => new THREE.Group());
    this.links.forEach((link) => this.group.add(link));
    this.links.forEach((link, n) => {
      const shapes = data.shapes.filter((shape) => shape.link + 1 === n);
      const textured = (shape) => shape.kind === "mesh" && meshes[shape.mesh].texture;
      const plain = shapes.filter((shape) => !textured(shape));
      if (plain.length) link.add(plainParts(plain, meshes));
      shapes.filter(textured).forEach((shape) => link.add(texturedPart(shape, meshes)));
      link.children.forEach((mesh) => { mesh.castShadow = mesh.receiveShadow = true; });
    });
    this.addTrail();
    this.addContacts();
    if (count > 1) this.addSign();
  }

  addTrail() { // a flat ribbon along the body's path, shown up to the present
    const half = 0.006;
    const points = [], index = [];
    this.poses.forEach((pose, i) => {
      points.push(pose[0], pose[1], pose[2] + half, pose[0], pose[1], pose[2] - half);
      if (i) index.push(2 * i - 2, 2 * i - 1, 2 * i, 2 * i, 2 * i - 1, 2 * i + 1);
    });
    const ribbon = new THREE.BufferGeometry();
    ribbon.setAttribute("position", new THREE.BufferAttribute(Float32Array.from(points), 3));
    ribbon.setIndex(index);
    this.trail = new THREE.Mesh(ribbon, new THREE.MeshBasicMaterial({
      color: this.colour, side: 2, transparent: true, opacity: 0.8 }));
    this.trail.frustumCulled = false;
    this.group.add(this.trail);
  }

  addContacts() { // a ringed disc while a foot stands, a fading print where it stood
    const disc = new THREE.CircleGeometry(0.021, 24), ring = new THREE.RingGeometry(0.025, 0.033, 32);
    const look = new THREE.MeshBasicMaterial({ vertexColors: true });
    const both = THREE.mergeGeometries([tinted(disc.clone(), new THREE.Color("#e69f00")),
                                        tinted(ring, new THREE.Color("#1b242c"))]);
    this.marks = [0, 1, 2, 3].map(() => new THREE.Mesh(both, look));
    this.group.add(...this.marks);
    this.lifts = []; // in the order of time: a few neighbours are seen at once
    this.contacts.slice(0, -1).forEach((bits, i) => {
      for (let foot = 0; foot < 4; foot++) {
        if (!((bits & ~this.contacts[i + 1]) >> foot & 1)) continue;
        const [x, y] = this.feet[i].slice(3 * foot);
        this.lifts.push({ x, y, time: i * this.dt });
      }
    });
    if (!this.lifts.length) return;
    this.corners = disc.attributes.position.count;
    this.triangles = disc.index.count;
    const colour = new THREE.Color(this.colour);
    const prints = this.lifts.map(({ x, y }) => tinted(disc.clone().translate(x, y, 0.002), colour, 0));
    this.prints = new THREE.Mesh(THREE.mergeGeometries(prints), new THREE.MeshBasicMaterial({
      vertexColors: true, transparent: true, depthWrite: false }));
    this.prints.frustumCulled = false;
    this.group.add(this.prints);
  }

  fadePrints(time) {
    if (!this.prints) return;
    const { color } = this.prints.geometry.attributes;
    const age = (lift) => time - lift.time;
    const first = this.lifts.findIndex((lift) => age(lift) < 2);
    const seen = this.lifts.filter((lift) => age(lift) > 0 && age(lift) < 2);
    seen.forEach((lift, n) => {
      for (let k = 0; k < this.corners; k++)
        color.setW((first + n) * this.corners + k, 0.5 * (1 - age(lift) / 2));
    });
    color.needsUpdate = true;
    this.prints.geometry.setDrawRange(first * this.triangles, seen.length * this.triangles);
  }

  addSign() { // the name above the robot
    const { texture, width, height } = text(this.name, "#ffffff", 0.034, this.colour);
    this.sign = new THREE.Sprite(new THREE.SpriteMaterial({
      map: texture, depthTest: false, sizeAttenuation: false })); // the same size near and far
    this.sign.scale.set(width, height, 1);
    this.group.add(this.sign);
  }

  at(time) { return Math.min(Math.max(time / this.dt, 0), this.poses.length - 1); }

  value(rows, column, time) { // linear interpolation
    const f = this.at(time), i = Math.floor(f), j = Math.min(i + 1, rows.length - 1);
    return rows[i][column] + (f - i) * (rows[j][column] - rows[i][column]);
  }

  show(time) {
    const f = this.at(time), i = Math.floor(f), j = Math.min(i + 1, this.poses.length - 1);
    const a = this.poses[i], b = this.poses[j], next = new THREE.Quaternion();
    this.links.forEach((link, n) => {
      const k = 7 * n;
      link.position.set(a[k], a[k + 1], a[k + 2]);
      link.position.lerp({ x: b[k], y: b[k + 1], z: b[k + 2] }, f - i);
      link.quaternion.set(a[k + 3], a[k + 4], a[k + 5], a[k + 6]).normalize();
      link.quaternion.slerp(next.set(b[k + 3], b[k + 4], b[k + 5], b[k + 6]).normalize(), f - i);
    });
    this.marks.forEach((mark, foot) => {
      mark.visible = Boolean((this.contacts[i] >> foot) & 1);
      mark.position.set(this.value(this.feet, 3 * foot, time),
                        this.value(this.feet, 3 * foot + 1, time), 0.004);
    });
    this.fadePrints(time);
    this.trail.geometry.setDrawRange(0, 6 * i);
    const base = this.links[0].position;
    if (this.sign) this.sign.position.set(base.x, base.y, base.z + 0.24);
  }

  centre(time) { // where the camera looks: the path averaged over 0.6 s, so that it does not shake
    const target = new THREE.Vector3(0, 0, 0.14);
    for (let k = -3; k <= 3; k++) {
      target.x += this.value(this.poses, 0, time + k / 10) / 7;
      target.y += this.value(this.poses, 1, time + k / 10) / 7;
    }
    return target.add(this.group.position);
  }

  numbers(time) {
    const back = Math.max(Math.min(time, this.duration) - 0.5, 0);
    const x = this.value(this.poses, 0, time);
    const span = Math.min(time, this.duration) - back;
    const speed = span > 0 ? (x - this.value(this.poses, 0, back)) / span : 0;
    const ended = this.fell && time >= this.duration;
    return [ended ? `fell at ${this.duration.toFixed(1)} s` : `${fixed(speed)} m/s`,
            `${fixed(x - this.poses[0][0])} m`,
            `return ${fixed(this.totals[Math.floor(this.at(time))])}`];
  }
}

// ---- playing ---------------------------------------------------------------------------------

let dirty = true;

async function main() {
  const script = document.createElement("script");
  script.textContent = await unpack("three-gz");
  document.head.append(script);
  const { robots: data, meshes } = JSON.parse(await unpack("data-gz"));

  const renderer = new THREE.WebGLRenderer({ canvas: $("scene"), antialias: true });
  renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
  renderer.shadowMap.enabled = true;
  const scene = new THREE.Scene();
  scene.fog = new THREE.Fog(0, 6, 22);
  const camera = new THREE.PerspectiveCamera(38, 1, 0.02, 60);
  camera.up.set(0, 0, 1);
  const orbit = new THREE.OrbitControls(camera, $("scene"));
  Object.assign(orbit, { maxPolarAngle: 1.55, minDistance: 0.25, maxDistance: 12 });
  orbit.addEventListener("change", () => { dirty = true; });

  const sky = new THREE.HemisphereLight("#ffffff", "#8d99a5", 1.7);
  const sun = new THREE.DirectionalLight("#fff6e8", 2.2);
  sun.castShadow = true;
  sun.shadow.mapSize.set(1024, 1024);
  sun.shadow.radius = 4;
  sun.shadow.bias = -0.0004;
  sun.shadow.normalBias = 0.004;
  scene.add(sky, sun, sun.target);
  const ground = new THREE.Mesh(new THREE.PlaneGeometry(80, 80), new THREE.MeshLambertMaterial());
  ground.receiveShadow = true;
  scene.add(ground);

  const robots = data.map((d, i) => new Robot(d, i, data.length, meshes));
  robots.forEach((robot) => scene.add(robot.group));
  const end = Math.max(...robots.map((r) => r.duration));
  const far = Math.max(...robots.flatMap((r) => r.poses.map((p) => p[0])));
  const reach = 0.45 * data.length;
  Object.assign(sun.shadow.camera, { left: -1 - reach, right: 1 + reach, top: 1 + reach,
                                     bottom: -1 - reach, near: 0.5, far: 8 });
  const edge = (data.length - 1) / 2 * LANE + 0.3;
  const metres = new THREE.Group();
  scene.add(metres);
  for (let m = 0; m <= Math.ceil(far) + 1; m++) { // distances, written on the ground
    const { texture, width, height } = text(`${m} m`, "#ffffff", 0.18);
    const sign = new THREE.Mesh(new THREE.PlaneGeometry(width, height),
      new THREE.MeshBasicMaterial({ map: texture, transparent: true, depthWrite: false }));
    sign.position.set(m + 0.04 + width / 2, edge + 0.09, 0.001);
    metres.add(sign);
  }

  let time = 0, playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  let chosen = 0, alone = data.length === 1, view = 0, last = 0, pace = 16; // pace: ms between frames
  let focus = robots[0].centre(0);

  function centre() { // of the chosen robot, or beside it in the middle of all lanes
    const point = robots[chosen].centre(time);
    return alone ? point : point.setY(0);
  }

  function follow() {
    const move = centre().sub(focus);
    focus.add(move); orbit.target.add(move); camera.position.add(move);
  }

  function setTheme(dark) {
    document.documentElement.classList.toggle("dark", dark);
    const background = dark ? "#1d242b" : "#e4ebf1";
    scene.background = new THREE.Color(background);
    scene.fog.color.set(background);
    ground.material.map = makeGround(dark);
    ground.material.needsUpdate = true;
    metres.children.forEach((sign) => sign.material.color.set(dark ? "#a9b6c2" : "#55636f"));
    dirty = true;
    drawGait();
  }

  function setView(index) {
    view = index % VIEWS.length;
    focus = centre();
    orbit.target.copy(focus);
    const narrow = Math.min(Math.max(1.2 / camera.aspect, 1), 2); // a phone held upright
    const far = narrow * (alone ? 1 : 1 + 0.55 * (data.length - 1));
    camera.position.copy(focus).add(new THREE.Vector3(...VIEWS[view]).multiplyScalar(far));
    orbit.update();
  }

  function play(on) {
    playing = on;
    $("play").textContent = on ? "❚❚ Pause" : "▶ Play";
    last = performance.now();
  }

  function seek(seconds) {
    time = Math.min(Math.max(seconds, 0), end);
    dirty = true;
  }

  function choose(number) { // 0: all of them, 1: the first …
    if (number > robots.length) return;
    chosen = Math.max(number - 1, 0);
    alone = number > 0 || robots.length === 1;
    $("who").value = number;
    drawGait();
    setView(view);
  }

  function drawGait() { // when each foot of the chosen robot stands
    const canvas = $("gait"), ratio = Math.min(devicePixelRatio, 2);
    const robot = robots[chosen], style = getComputedStyle(document.documentElement);
    canvas.width = canvas.clientWidth * ratio;
    canvas.height = canvas.clientHeight * ratio;
    const ctx = canvas.getContext("2d"), start = left(), width = canvas.clientWidth - start;
    const row = canvas.clientHeight / 4;
    ctx.scale(ratio, ratio);
    ctx.font = `${0.87 * row}px system-ui, sans-serif`;
    [0, 2, 1, 3].forEach((foot, place) => { // recorded FL BL FR BR, drawn front pair, back pair
      const y = place * row;
      ctx.fillStyle = style.getPropertyValue("--soft");
      ctx.fillText(["FL", "BL", "FR", "BR"][foot], 2, y + 0.78 * row);
      ctx.fillStyle = style.getPropertyValue("--line");
      ctx.fillRect(start, y + 0.45 * row, width * robot.duration / end, 1);
      ctx.fillStyle = robot.colour;
      robot.contacts.forEach((bits, i) => {
        if ((bits >> foot) & 1) ctx.fillRect(start + width * i * robot.dt / end, y + 0.2 * row,
                                             width * robot.dt / end + 0.5, 0.6 * row);
      });
    });
  }

  function showNumbers() {
    $("now").style.left = `calc(var(--left) + (100% - var(--left)) * ${time / end})`;
    $("seek").value = time;
    $("clock").textContent = `${time.toFixed(2)} / ${end.toFixed(1)} s`;
    robots.forEach((robot, i) => robot.numbers(time).forEach((number, k) => {
      $("numbers").rows[i].cells[k + 1].textContent = number;
    }));
  }

  function lighten(elapsed) { // a slow machine loses sharpness, then the shadow, then more
    pace = 0.95 * pace + 0.05 * Math.min(elapsed, 200);
    if (pace < 36) return;
    if (renderer.getPixelRatio() > 1) renderer.setPixelRatio(1);
    else if (sun.castShadow) sun.castShadow = false;
    else renderer.setPixelRatio(0.7);
    pace = 16;
  }

  function frame(now) {
    requestAnimationFrame(frame);
    if (playing) {
      lighten(now - last);
      time += Math.min(Math.max(now - last, 0), 100) / 1000 * Number($("rate").value);
      if (time > end) time = 0;
      dirty = true;
    }
    last = now;
    if (!dirty) return;
    dirty = false;
    robots.forEach((robot) => { robot.show(time); robot.trail.visible = $("trail").checked; });
    if ($("follow").checked) follow();
    ground.position.set(2 * Math.round(focus.x / 2), 2 * Math.round(focus.y / 2), 0);
    const middle = data.length > 1 ? 0 : focus.y;
    sun.target.position.set(focus.x, middle, 0);
    sun.position.set(focus.x - 1.2, middle - 1.0, 3.2);
    renderer.render(scene, camera);
    showNumbers();
  }

  function resize() {
    const { clientWidth, clientHeight } = $("stage");
    renderer.setSize(clientWidth, clientHeight, false);
    camera.aspect = clientWidth / Math.max(clientHeight, 1);
    camera.updateProjectionMatrix();
    drawGait();
    dirty = true;
  }

  function turn(azimuth, polar, zoom) {
    const offset = camera.position.clone().sub(orbit.target);
    const distance = Math.min(Math.max(offset.length() * zoom, 0.25), 12);
    const around = Math.atan2(offset.y, offset.x) + azimuth;
    const up = Math.min(Math.max(Math.asin(offset.z / offset.length()) + polar, 0.02), 1.55);
    camera.position.set(Math.cos(around) * Math.cos(up), Math.sin(around) * Math.cos(up), Math.sin(up))
      .multiplyScalar(distance).add(orbit.target);
    orbit.update();
  }

  const step = (event) => event.shiftKey ? 0.5 : robots[chosen].dt;
  const rate = (by) => { $("rate").selectedIndex = Math.min(Math.max($("rate").selectedIndex + by, 0),
                                                            $("rate").length - 1); };
  const keys = {
    " ": () => play(!playing),
    ArrowLeft: (event) => { play(false); seek(time - step(event)); },
    ArrowRight: (event) => { play(false); seek(time + step(event)); },
    ArrowUp: () => rate(1), ArrowDown: () => rate(-1),
    Home: () => seek(0), End: () => seek(end),
    f: () => $("follow").click(), t: () => $("trail").click(), v: () => setView(view + 1),
    b: () => $("theme").click(), "?": () => $("keys").click(),
    a: () => turn(-0.15, 0, 1), d: () => turn(0.15, 0, 1), w: () => turn(0, 0.1, 1),
    s: () => turn(0, -0.1, 1), "+": () => turn(0, 0, 0.9), "-": () => turn(0, 0, 1.1),
    0: () => choose(0), 1: () => choose(1), 2: () => choose(2), 3: () => choose(3), 4: () => choose(4),
    5: () => choose(5),
  };
  addEventListener("keydown", (event) => {
    const action = keys[event.key] || keys[event.key.toLowerCase()];
    const own = event.target.matches("select, button, input[type=checkbox]")
      && [" ", "ArrowUp", "ArrowDown"].includes(event.key); // the control's own keys stay its own
    if (!action || own || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(event);
  });
  $("play").onclick = () => play(!playing);
  $("seek").oninput = () => { play(false); seek(Number($("seek").value)); };
  $("view").onclick = () => setView(view + 1);
  $("trail").onchange = () => { dirty = true; };
  $("follow").onchange = () => { focus = centre(); dirty = true; };
  $("theme").onclick = () => setTheme(!document.documentElement.classList.contains("dark"));
  $("keys").onclick = () => {
    $("help").hidden = !$("help").hidden;
    $("keys").setAttribute("aria-expanded", String(!$("help").hidden));
  };
  const scrub = (event) => {
    if (!event.buttons) return;
    play(false);
    seek(end * (event.offsetX - left()) / ($("gait").clientWidth - left()));
  };
  $("gait").onpointerdown = $("gait").onpointermove = scrub;

  for (const robot of robots) {
    const row = $("numbers").insertRow();
    row.append(Object.assign(document.createElement("th"), { textContent: robot.name, scope: "row" }));
    for (let k = 0; k < 3; k++) row.insertCell();
  }
  $("note").textContent = "grid 1 m · disc: the foot stands";
  $("who").add(new Option(`all (gait of ${robots[0].name})`, 0));
  robots.forEach((robot, i) => $("who").add(new Option(robot.name, i + 1)));
  $("who").parentElement.hidden = robots.length === 1;
  $("who").onchange = () => choose(Number($("who").value));
  $("seek").max = end;
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
  resize();
  setView(0);
  new ResizeObserver(resize).observe($("stage"));
  play(playing);
  requestAnimationFrame(frame);
}

main().catch((error) => {
  $("note").textContent = `The replay cannot be drawn here: ${error.message}`;
});
