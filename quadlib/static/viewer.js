// Plays recordings of the robot on a page: three.js draws, everything else is below.
// Part of the page viewer.html; replay.py fills in the data (see `_robot_data` there for its form).
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
  tile.anisotropy = 8;
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

function material(shape, meshes) {
  const result = new THREE.MeshStandardMaterial({ roughness: 0.55, metalness: 0.15 });
  result.color.setRGB(...shape.rgba.slice(0, 3), THREE.SRGBColorSpace);
  const texture = shape.kind === "mesh" && meshes[shape.mesh].texture;
  if (texture) {
    result.map = new THREE.TextureLoader().load(texture, () => { dirty = true; });
    result.map.colorSpace = THREE.SRGBColorSpace;
  }
  return result;
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
    for (const shape of data.shapes) {
      const mesh = new THREE.Mesh(geometry(shape, meshes), material(shape, meshes));
      mesh.position.set(...shape.position);
      mesh.quaternion.set(...shape.quaternion);
      mesh.castShadow = mesh.receiveShadow = true;
      this.links[shape.link + 1].add(mesh);
    }
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
    const fill = new THREE.MeshBasicMaterial({ color: "#e69f00" });
    const edge = new THREE.MeshBasicMaterial({ color: "#1b242c" });
    this.marks = [0, 1, 2, 3].map(() => {
      const mark = new THREE.Group();
      mark.add(new THREE.Mesh(disc, fill), new THREE.Mesh(ring, edge));
      this.group.add(mark);
      return mark;
    });
    this.prints = [];
    for (let foot = 0; foot < 4; foot++) {
      this.contacts.forEach((bits, i) => {
        const lifts = (bits >> foot) & 1 && i + 1 < this.contacts.length
          && !((this.contacts[i + 1] >> foot) & 1);
        if (!lifts) return;
        const print = new THREE.Mesh(disc, new THREE.MeshBasicMaterial({
          color: this.colour, transparent: true, depthWrite: false }));
        print.position.set(this.feet[i][3 * foot], this.feet[i][3 * foot + 1], 0.002);
        this.prints.push({ print, time: i * this.dt });
        this.group.add(print);
      });
    }
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
    this.prints.forEach(({ print, time: lifted }) => {
      const age = time - lifted;
      print.visible = age > 0 && age < 2;
      print.material.opacity = 0.5 * (1 - age / 2);
    });
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
  const ground = new THREE.Mesh(new THREE.PlaneGeometry(80, 80),
                                new THREE.MeshStandardMaterial({ roughness: 1 }));
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
    const ctx = canvas.getContext("2d"), width = canvas.clientWidth - 24;
    ctx.scale(ratio, ratio);
    ctx.font = "10px system-ui, sans-serif";
    [0, 2, 1, 3].forEach((foot, row) => { // recorded FL BL FR BR, drawn front pair, back pair
      const y = row * 11.5;
      ctx.fillStyle = style.getPropertyValue("--soft");
      ctx.fillText(["FL", "BL", "FR", "BR"][foot], 2, y + 9);
      ctx.fillStyle = style.getPropertyValue("--line");
      ctx.fillRect(24, y + 5, width * robot.duration / end, 1);
      ctx.fillStyle = robot.colour;
      robot.contacts.forEach((bits, i) => {
        if ((bits >> foot) & 1) ctx.fillRect(24 + width * i * robot.dt / end, y + 2,
                                             width * robot.dt / end + 0.5, 7);
      });
    });
  }

  function showNumbers() {
    $("now").style.left = `calc(24px + (100% - 24px) * ${time / end})`;
    $("seek").value = time;
    $("clock").textContent = `${time.toFixed(2)} / ${end.toFixed(1)} s`;
    robots.forEach((robot, i) => robot.numbers(time).forEach((number, k) => {
      $("numbers").rows[i].cells[k + 1].textContent = number;
    }));
  }

  function lighten(elapsed) { // a slow machine first loses sharpness, then the shadow
    pace = 0.95 * pace + 0.05 * Math.min(elapsed, 200);
    if (pace < 36) return;
    if (renderer.getPixelRatio() > 1) renderer.setPixelRatio(1);
    else sun.castShadow = false;
    pace = 16;
  }

  function frame(now) {
    requestAnimationFrame(frame);
    if (playing) {
      lighten(now - last);
      time += Math.min(now - last, 100) / 1000 * Number($("rate").value);
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
    seek(end * (event.offsetX - 24) / ($("gait").clientWidth - 24));
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
