"""Recordings, the replay page and pictures: what they show is what the simulator did."""

import gc
import gzip
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from base64 import b64decode
from dataclasses import replace

import numpy as np
import pybullet
import pytest
from PIL import Image

import quadlib
from quadlib.judging.recording import Recording, mesh_path, read_poses, read_shapes, record
from quadlib.showing import clips
from quadlib.showing.camera import Camera
from quadlib.showing.clips import MAX_GIF_BYTES, film_strip, video
from quadlib.showing.viewer import MAX_PAGE_BYTES, replay


def make_trot():
    """A hand-made gait: diagonal legs in turn, swing a quarter of a period behind extension."""
    step = 0

    def act(observation):
        nonlocal step
        step += 1
        angle, side = 2 * np.pi * 2 * 0.01 * step, np.array([1, -1, -1, 1])
        return np.concatenate([0.35 * np.sin(angle) * side, 0.25 * np.cos(angle) * side])

    return act


@pytest.fixture(scope="module")
def trot():
    return record(make_trot(), "MinitaurIdeal", seconds=3.0, label="trot <by hand>")


def data_of(page):
    packed = re.search(r'id="data-gz">([^<]*)<', page).group(1)
    return json.loads(gzip.decompress(b64decode(packed)))


# ---- recordings ------------------------------------------------------------------------------


def test_record_keeps_what_happened(trot):
    assert trot.time[0] == 0 and trot.duration == pytest.approx(3.0, abs=1e-4)
    assert trot.poses.shape == (151, 17, 7) and trot.contacts.dtype == bool
    np.testing.assert_allclose(np.linalg.norm(trot.poses[..., 3:], axis=-1), 1, atol=1e-5)
    assert trot.distance > 0.3 and not trot.fell
    assert trot.env_id == "quadlib/MinitaurIdeal-v0"


def test_recording_does_not_change_the_episode(trot):
    env, act = quadlib.make("MinitaurIdeal"), make_trot()
    observation, _ = env.reset(seed=0)
    total, start = 0.0, env.unwrapped.robot.position[0]
    for _ in range(300):
        observation, reward, *_ = env.step(act(observation))
        total += reward
    moved = env.unwrapped.robot.position[0] - start
    env.close()
    assert trot.distance == pytest.approx(moved, abs=1e-6)
    assert trot.reward.sum() == pytest.approx(total, abs=1e-5)


def test_an_agent_is_recorded_where_it_was_trained():
    class Agent:
        about = {"env": "quadlib/Minitaur-v0", "algorithm": "ppo"}
        act = staticmethod(make_trot())

    recording = record(Agent(), seconds=0.1)
    assert (recording.env_id, recording.label) == ("quadlib/Minitaur-v0", "ppo")
    assert record(Agent(), lambda: quadlib.make("MinitaurIdeal"), seconds=0.1).duration > 0
    Agent.about = {"env": "make_my_env"}
    with pytest.raises(ValueError, match="make_my_env.*env="):
        record(Agent(), seconds=0.1)


def test_an_early_fall_is_recorded_to_its_last_pose():
    flail = iter(np.random.default_rng(0).choice([-1.0, 1.0], (1000, 8)).repeat(20, axis=0))
    fallen = record(lambda observation: next(flail), "MinitaurIdeal", seconds=10.0)
    assert fallen.fell and fallen.duration < 10.0
    up = fallen.poses[-1, 0, 3:]
    assert fallen.poses[-1, 0, 2] < 0.13 or 1 - 2 * (up[0] ** 2 + up[1] ** 2) < 0.85


def test_feet_that_stand_are_at_the_ground_and_both_bars_meet_there(trot):
    assert trot.contacts.any() and not trot.contacts.all()
    standing = trot.feet[trot.contacts][:, 2]
    assert np.abs(standing).max() < 0.02  # half a bar's thickness and its tilt
    env = quadlib.make("MinitaurIdeal")
    env.reset(seed=0)
    left = [foot + 1 for foot in env.unwrapped.robot.feet[::2]]
    env.close()
    for frame in (0, 75, 150):
        for leg, link in enumerate(left):
            pose = trot.poses[frame, link]
            pin, _ = pybullet.multiplyTransforms(pose[:3], pose[3:], (0, 0.01, 0.2), (0, 0, 0, 1))
            assert np.linalg.norm(trot.feet[frame, leg] - pin) < 0.01


@pytest.mark.parametrize("physics", ["fast", "reference"])
def test_poses_and_shapes_draw_the_simulated_robot(physics):
    env = quadlib.make("MinitaurIdeal", physics=physics)
    env.reset(seed=0)
    env.action_space.seed(1)
    for _ in range(40):
        env.step(env.action_space.sample())
    robot = env.unwrapped.robot
    with Camera(read_shapes(robot.client, robot.body)) as camera:
        camera.draw(read_poses(robot.client, robot.body), centre=(0.0, 0.0))
        masks = []
        for client, ours in ((robot.client, {robot.body}),
                             (camera._client, {body for _, body in camera._shapes})):  # fmt: skip
            image = pybullet.getCameraImage(
                320, 240, camera._view, camera._projection,
                renderer=pybullet.ER_TINY_RENDERER, physicsClientId=client,
            )  # fmt: skip
            masks.append(np.isin(np.asarray(image[4]).reshape(240, 320), list(ours)))
    env.close()
    real, drawn = masks
    assert real.sum() > 3000
    assert (real ^ drawn).sum() / real.sum() < 0.01


def test_a_camera_that_is_forgotten_gives_its_world_back():
    camera = Camera(())
    client = camera._client
    assert pybullet.isConnected(client)
    del camera
    gc.collect()
    assert not pybullet.isConnected(client)


def test_base_pose_is_the_link_frame_when_the_centre_of_mass_is_elsewhere(tmp_path):
    urdf = tmp_path / "box.urdf"
    urdf.write_text("""<robot name="r"><link name="b">
      <inertial><origin xyz="0.3 0 0.1" rpy="0 0 0.5"/><mass value="1"/>
      <inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/></inertial>
      <visual><geometry><box size="1 1 1"/></geometry></visual></link></robot>""")
    client = pybullet.connect(pybullet.DIRECT)
    turn = pybullet.getQuaternionFromEuler((0.1, 0.2, 0.3))
    body = pybullet.loadURDF(str(urdf), (1, 2, 3), turn, physicsClientId=client)
    pose = read_poses(client, body)[0]
    pybullet.disconnect(client)
    np.testing.assert_allclose(pose, [1, 2, 3, *turn], atol=1e-6)


# ---- files -----------------------------------------------------------------------------------


def test_a_recording_survives_its_file(trot, tmp_path):
    path = trot.save(tmp_path / "new" / "trot.npz")
    assert path.stat().st_size < 300_000
    again = Recording.load(path)
    for name in ("time", "poses", "feet", "contacts", "reward"):
        np.testing.assert_array_equal(getattr(again, name), getattr(trot, name))
    assert (again.shapes, again.label, again.env_id, again.fell) == (
        trot.shapes, trot.label, trot.env_id, trot.fell)  # fmt: skip
    assert [file.name for file in path.parent.iterdir()] == ["trot.npz"]  # no leftovers


def test_foreign_and_damaged_files_are_refused_with_a_reason(trot, tmp_path):
    good = trot.save(tmp_path / "good.npz").read_bytes()
    cases = {"cut.npz": good[: len(good) // 2], "text.npz": b"not an archive", "empty.npz": b""}
    for name, content in cases.items():
        (tmp_path / name).write_bytes(content)
    np.savez(tmp_path / "foreign.npz", time=np.arange(3))
    np.savez(tmp_path / "pickle.npz", time=np.array([{}], dtype=object))
    trot_nan = replace(trot, poses=np.where(np.arange(7) == 2, np.nan, trot.poses))
    trot_nan.save(tmp_path / "nan.npz")
    replace(trot, feet=trot.feet[:-1]).save(tmp_path / "short.npz")
    replace(trot, shapes=(replace(trot.shapes[0], link=99),)).save(tmp_path / "link.npz")
    for path in sorted(set(tmp_path.iterdir()) - {tmp_path / "good.npz"}):
        with pytest.raises(ValueError, match=f"{path.name} is not a recording.*quadlib"):
            Recording.load(path)
    with pytest.raises(FileNotFoundError):
        Recording.load(tmp_path / "none.npz")


@pytest.mark.parametrize(
    "changes",
    [
        {"label": 5}, {"env_id": None}, {"fell": "no"}, {"kind": "cone"}, {"link": True},
        {"size": ("a",)}, {"rgba": (np.nan, 0, 0, 1)}, {"mesh": 3}, {"position": (0, 0)},
    ],
)  # fmt: skip
def test_what_a_stranger_says_has_to_be_of_its_kind(trot, tmp_path, changes):
    if changes.keys() & {"label", "env_id", "fell"}:
        changed = replace(trot, **changes)
    else:
        changed = replace(trot, shapes=(*trot.shapes[:-1], replace(trot.shapes[-1], **changes)))
    with pytest.raises(ValueError, match="another kind|a shape is not"):
        Recording.load(changed.save(tmp_path / "file.npz"))


def test_a_label_may_look_like_a_placeholder(trot):
    page = replay(replace(trot, label="{{viewer}} {{data}}")).page
    assert "<title>{{viewer}} {{data}}" in page.replace("&#123;", "{")


def test_a_text_is_no_recording():
    with pytest.raises(TypeError, match="cannot show a str"):
        replay("first_gait.safetensors")


def test_a_dot_in_a_name_is_no_suffix(trot, tmp_path):
    for name in ("speed_1.5", "speed_1.6", "speed.npz"):
        trot.save(tmp_path / name)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["speed.npz", "speed_1.5.npz", "speed_1.6.npz"]


def test_a_file_that_unpacks_into_something_huge_is_refused(trot, tmp_path):
    path = trot.save(tmp_path / "bomb.npz")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", b"\0" * 300_000_000)
    with pytest.raises(ValueError, match="MB"):
        Recording.load(path)
    replace(trot, label="x" * 2_000_000).save(path)
    with pytest.raises(ValueError, match="8 MB of it are words"):
        Recording.load(path)


@pytest.mark.parametrize("name", ["../../secret.obj", "/etc/passwd", "plane.urdf", "none.obj"])
def test_a_mesh_outside_of_pybullet_data_is_refused(name):
    with pytest.raises(ValueError, match="pybullet_data"):
        mesh_path(name)


# ---- the page --------------------------------------------------------------------------------


def test_the_page_holds_the_recording(trot):
    data = data_of(replay(trot).page)["robots"][0]
    assert data["label"] == "trot <by hand>" and data["dt"] == pytest.approx(0.02)
    poses = np.cumsum(data["poses"], axis=0).reshape(trot.poses.shape) * 1e-4
    np.testing.assert_allclose(poses[..., :3], trot.poses[..., :3], atol=1e-4)
    dots = np.abs(np.sum(poses[..., 3:] * trot.poses[..., 3:], axis=-1))
    np.testing.assert_allclose(dots, 1, atol=1e-3)
    contacts = (np.array(data["contacts"])[:, None] >> np.arange(4)) & 1
    np.testing.assert_array_equal(contacts.astype(bool), trot.contacts)


def test_quaternions_never_jump_between_frames(trot):
    poses = trot.poses.copy()
    poses[::2, :, 3:] *= -1  # the same rotations
    data = data_of(replay(replace(trot, poses=poses)).page)["robots"][0]
    steps = np.array(data["poses"])[1:].reshape(-1, 17, 7)[..., 3:]
    assert np.abs(steps).max() < 10_000  # less than 1: no change of sign


def test_the_page_is_small_and_loads_nothing(trot):
    long = replace(trot, **{n: np.concatenate([getattr(trot, n)] * 4) for n in
                            ("poses", "feet", "contacts", "reward")},
                   time=np.arange(4 * len(trot.time)) * 0.02)  # fmt: skip
    page = replay([long, trot, long]).page
    assert len(page) < MAX_PAGE_BYTES
    packed = re.search(r'id="three-gz">([^<]*)<', page).group(1)
    code = page + gzip.decompress(b64decode(packed)).decode()
    assert set(re.findall(r"https?://[\w./-]+", code)) <= {"http://www.w3.org/1999/xhtml"}
    assert not re.search(r"<(script|img|iframe)[^>]* src=|<link|@import|\bimport\(", page)


def test_a_page_that_would_be_too_large_is_refused(trot):
    noise = np.random.default_rng(0).normal(size=(6000, 17, 7)).astype(np.float32)
    huge = replace(trot, poses=noise, time=np.arange(6000) * 0.02, feet=noise[:, :4, :3],
                   contacts=np.ones((6000, 4), bool), reward=np.ones(6000))  # fmt: skip
    with pytest.raises(ValueError, match="fewer"):
        replay(huge)


def test_a_replay_shows_itself_with_words_for_those_who_cannot_see_it(trot, tmp_path):
    shown = replay(trot)
    html = shown._repr_html_()
    assert "srcdoc=" in html and "trot &lt;by hand&gt;" in html and "m forward" in html
    assert "<by hand>" not in html
    assert 'aria-label="3D replay. trot &lt;by hand&gt;' in shown.page
    path = shown.save(tmp_path / "page.html")
    assert path.read_text() == shown.page


def test_replay_takes_agents_lists_and_dicts(trot):
    robots = data_of(replay({"one": trot, "two": make_trot()}, seconds=0.2).page)["robots"]
    assert [robot["label"] for robot in robots] == ["one", "two"]
    assert len(robots[1]["poses"]) == 11
    for wrong, error in ((3, TypeError), ([], ValueError), ([trot] * 6, ValueError)):
        with pytest.raises(error):
            replay(wrong)


# ---- pictures --------------------------------------------------------------------------------


def test_a_gif_is_small_moves_and_lasts_as_long_as_the_episode(trot, tmp_path):
    clip = video(trot, tmp_path / "trot.gif", seconds=1.2, start=0.6)
    assert (tmp_path / "trot.gif").read_bytes() == clip.data
    assert len(clip.data) <= MAX_GIF_BYTES
    gif = Image.open(io.BytesIO(clip.data))
    assert gif.format == "GIF" and gif.n_frames == 21 and gif.info["duration"] == 60
    frames = []
    for frame in (0, 10):
        gif.seek(frame)
        frames.append(np.asarray(gif.convert("RGB"), float))
    assert np.abs(frames[0] - frames[1]).mean() > 2


def test_a_gif_that_is_too_large_becomes_smaller(trot, monkeypatch):
    monkeypatch.setattr("quadlib.showing.clips.MAX_GIF_BYTES", 30_000)
    clip = video(trot, seconds=0.6)
    assert len(clip.data) <= 30_000
    assert Image.open(io.BytesIO(clip.data)).width < 360


def test_a_clip_carries_its_alternative_text(trot, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data, more)))
    clip = film_strip(trot, phases=2, width=120)
    clip._ipython_display_()
    (picture, more), (caption, _) = shown
    assert more["metadata"]["image/png"]["alt"] == clip.alt
    assert b64decode(picture["image/png"]) == clip.data
    assert "trot &lt;by hand&gt;" in caption["text/html"]
    assert Image.open(io.BytesIO(clip.data)).size == (240, 75)


def test_a_film_strip_does_not_fall_in_step_with_the_gait(trot):
    """Ten strides a second, a picture each tenth: all legs would seem to stand still."""
    time = np.arange(0, 1, 0.02)
    feet = np.zeros((50, 4, 3))
    feet[:, :, 0] = trot.poses[:1, :1, 0] + np.sin(2 * np.pi * 10 * time)[:, None]
    poses = np.repeat(trot.poses[:1], 50, axis=0)
    fast = replace(trot, time=time, feet=feet, poses=poses, contacts=np.zeros((50, 4), bool))
    spacing = clips._telling(fast, 0.2, 6) / 5
    assert spacing < 0.09 and round(spacing / 0.02) == pytest.approx(spacing / 0.02)
    slow = replace(fast, feet=feet * 0 + np.sin(2 * np.pi * time)[:, None, None])
    assert clips._telling(slow, 0.2, 6) == pytest.approx(0.5)


def test_an_mp4_without_ffmpeg_says_what_to_do(trot, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RuntimeError, match="ffmpeg.*gif"):
        video(trot, tmp_path / "trot.mp4")
    with pytest.raises(ValueError, match="mp4"):
        video(trot, tmp_path / "trot.avi")


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_an_mp4_is_a_video(trot, tmp_path):
    clip = video(trot, tmp_path / "trot.mp4", seconds=0.5)
    assert clip.data[4:8] == b"ftyp"
    assert (tmp_path / "trot.mp4").stat().st_size == len(clip.data)


def test_render_mode_follows_the_robot():
    env = quadlib.make("MinitaurIdeal", render_mode="rgb_array")
    env.reset(seed=0)
    before, act = env.render(), make_trot()
    for _ in range(60):
        env.step(act(None))
    after = env.render()
    env.close()
    assert before.shape == after.shape == (360, 480, 3) and before.dtype == np.uint8
    for picture in (before, after):  # the dark body is near the middle
        assert (picture.sum(axis=2)[120:240, 160:320] < 3 * 90).mean() > 0.1
    assert np.abs(before.astype(float) - after).mean() > 2


def test_replay_needs_no_torch():
    code = "import sys; from quadlib.showing import viewer, clips; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
