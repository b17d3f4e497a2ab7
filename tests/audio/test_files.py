"""Recordings in files: every kind of WAV, parts of them, damage; others through soundfile."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from schuss import audio
from schuss.audio import files
from schuss.errors import DataError, UsageError

WAVE = np.sin(np.arange(500) / 9.0) * np.linspace(0.1, 0.9, 500)
BOTH = np.stack([WAVE, -0.5 * WAVE])


def encoded(x: np.ndarray, bits: int, is_float: bool) -> bytes:
    """Samples of shape (channels, frames) as a WAV file holds them."""
    flat = x.T.ravel()
    if is_float:
        return flat.astype(f"<f{bits // 8}").tobytes()
    whole = np.round(flat * 2.0 ** (bits - 1)).astype(np.int64)
    if bits == 8:
        return (whole + 128).astype(np.uint8).tobytes()
    return whole.astype("<i8").reshape(-1, 1).view(np.uint8)[:, : bits // 8].tobytes()


def wav_bytes(
    x: np.ndarray, bits: int = 16, *, is_float: bool = False, rate: int = 8000, wide: bool = False
) -> bytes:
    data, channels = encoded(x, bits, is_float), len(x)
    code = 3 if is_float else 1
    form = struct.pack(
        "<HHIIHH", 0xFFFE if wide else code, channels, rate, 0, channels * bits // 8, bits
    )
    if wide:
        rest = bytes.fromhex("000000001000800000aa00389b71")
        form += struct.pack("<HHIH", 22, bits, 0, code) + rest
    parts = b"fmt " + struct.pack("<I", len(form)) + form
    parts += b"LIST" + struct.pack("<I", 3) + b"abc\0"  # parts begin at even places
    parts += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(parts) + 4) + b"WAVE" + parts


def written(folder: Path, content: bytes, name: str = "a.wav") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


KINDS = [(8, False), (16, False), (24, False), (32, False), (32, True), (64, True)]


@pytest.mark.parametrize("wide", [False, True], ids=["plain", "extensible"])
@pytest.mark.parametrize("x", [WAVE[None], BOTH], ids=["mono", "stereo"])
@pytest.mark.parametrize(("bits", "is_float"), KINDS)
def test_every_kind_of_wav(
    tmp_path: Path, bits: int, is_float: bool, x: np.ndarray, wide: bool
) -> None:
    path = written(tmp_path, wav_bytes(x, bits, is_float=is_float, rate=11025, wide=wide))
    samples, rate = audio.load(path)
    assert (samples.dtype, rate) == (np.float32, 11025)
    np.testing.assert_allclose(samples, x, atol=1e-7 if is_float else max(2.0**-bits, 1e-7))
    found = audio.info(path)
    assert (found.sample_rate, found.channels, found.frames) == (11025, len(x), 500)
    assert found.seconds == 500 / 11025
    part, _ = audio.load(path, start=490, frames=30)
    np.testing.assert_array_equal(part, samples[:, 490:])


def test_what_the_standard_library_writes(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "b.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(3)
        file.setframerate(44100)
        file.writeframes(encoded(BOTH, 24, False))
    samples, rate = audio.load(tmp_path / "b.wav")
    assert rate == 44100
    np.testing.assert_allclose(samples, BOTH, atol=1e-6)


def test_soundfile_reads_the_same(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"):
        for form in ("WAV", "WAVEX"):
            path = tmp_path / "c.wav"
            soundfile.write(path, BOTH.T, 16000, subtype=subtype, format=form)
            theirs, rate = soundfile.read(path, dtype="float32", always_2d=True)
            np.testing.assert_array_equal(audio.load(path)[0], theirs.T)
            assert rate == 16000


@pytest.mark.parametrize(("suffix", "least"), [("flac", 1e-3), ("ogg", 0.05), ("mp3", 0.05)])
def test_other_formats(tmp_path: Path, suffix: str, least: float) -> None:
    soundfile = pytest.importorskip("soundfile")
    tone = np.sin(np.arange(16000) / 9.0) * 0.5
    path = tmp_path / f"d.{suffix}"
    soundfile.write(path, tone, 16000)
    samples, rate = audio.load(path)
    assert (len(samples), rate) == (1, 16000)
    middle = samples[0, 4000:12000]
    assert abs(middle.std() / tone.std() - 1.0) < least
    assert audio.info(path).frames == pytest.approx(16000, abs=2500)
    assert audio.load(path, start=100, frames=50)[0].shape == (1, 50)


def test_an_open_file(tmp_path: Path) -> None:
    file = io.BytesIO(wav_bytes(BOTH))
    file.seek(7)
    assert audio.info(file).frames == 500
    np.testing.assert_allclose(audio.load(file, start=3, frames=9)[0], BOTH[:, 3:12], atol=1e-4)
    with pytest.raises(DataError, match="^an empty file$"):
        audio.load(io.BytesIO(b""))


def test_an_open_file_of_another_format(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "e.flac", BOTH.T, 16000)
    file = io.BytesIO((tmp_path / "e.flac").read_bytes())
    np.testing.assert_allclose(audio.load(file, start=3, frames=9)[0], BOTH[:, 3:12], atol=1e-4)
    with pytest.raises(DataError, match="not a recording that can be read"):
        audio.load(io.BytesIO(b"fLaC" + bytes(50)))


def test_other_formats_without_soundfile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_installed", lambda: None)
    path = written(tmp_path, b"fLaC" + bytes(40), "a.flac")
    with pytest.raises(DataError, match=r"needs soundfile; install it with: pip install 'schuss"):
        audio.load(path)
    with pytest.raises(DataError, match="not a recording"):
        audio.load(written(tmp_path, b"<html>...", "b.mp3"))


def test_a_size_that_was_not_known(tmp_path: Path) -> None:
    content = wav_bytes(BOTH)
    at = content.index(b"data") + 4
    for size in (0, 0xFFFFFFFF):
        path = written(tmp_path, content[:at] + struct.pack("<I", size) + content[at + 4 :])
        assert audio.load(path)[0].shape == BOTH.shape


def test_a_file_of_more_than_four_gigabytes_says_its_size_elsewhere(tmp_path: Path) -> None:
    content = wav_bytes(BOTH)
    at = content.index(b"data")
    wide = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVE"
    wide += b"ds64" + struct.pack("<IQQQI", 28, 0, 400, 100, 0) + content[12:at]
    path = written(tmp_path, wide + b"data" + struct.pack("<I", 0xFFFFFFFF) + content[at + 8 :])
    samples, _ = audio.load(path)
    np.testing.assert_allclose(samples, BOTH[:, :100], atol=2.0**-15)


def test_what_is_cut_off_has_fewer_frames(tmp_path: Path) -> None:
    path = written(tmp_path, wav_bytes(BOTH)[:-1003])
    assert audio.info(path).frames == 249
    assert audio.load(path)[0].shape == (2, 249)


def damaged(kind: str) -> bytes:
    content = wav_bytes(WAVE[None])
    at = content.index(b"fmt ") + 8
    if kind == "no data":
        return content[: content.index(b"data")]
    if kind == "no format":
        return content[:12] + content[content.index(b"data") :]
    if kind == "format cut off":
        return content[: at + 7]
    if kind == "compressed":
        return content[:at] + struct.pack("<H", 0x11) + content[at + 2 :]
    if kind == "no channels":
        return content[: at + 2] + bytes(2) + content[at + 4 :]
    if kind == "13 bits":
        return content[: at + 14] + struct.pack("<H", 13) + content[at + 16 :]
    return {"empty": b"", "text": b"this is a text\n"}[kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("empty", ": an empty file.$"),
        ("text", ": not a recording"),
        ("no data", "a damaged WAV file: it has no data"),
        ("no format", "a damaged WAV file: no format before its data"),
        ("format cut off", "a damaged WAV file: its format is cut off"),
        ("no channels", "a damaged or unusual WAV file: 0 channels of 16 bits"),
        ("13 bits", "1 channels of 13 bits at 8000 Hz; expected PCM of 8, 16, 24 or 32 bits"),
    ],
)
def test_damage_is_said_in_one_line(tmp_path: Path, kind: str, message: str) -> None:
    path = written(tmp_path, damaged(kind))
    with pytest.raises(DataError, match=message) as error:
        audio.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_compressed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_installed", lambda: None)
    path = written(tmp_path, damaged("compressed"))
    with pytest.raises(DataError, match=r"a compressed WAV file \(format 17\); write it anew"):
        audio.load(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        audio.info(tmp_path / "none.wav")
    with pytest.raises(UsageError, match="start and frames of at least 0"):
        audio.load(tmp_path / "none.wav", start=-1)


def test_samples_that_are_no_numbers(tmp_path: Path) -> None:
    bad = WAVE[None].copy()
    bad[0, 7] = np.nan
    with pytest.raises(DataError, match="infinite or not a number"):
        audio.load(written(tmp_path, wav_bytes(bad, 32, is_float=True)))
