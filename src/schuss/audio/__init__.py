"""Sound: spectra as tensor functions, and recordings read from files.

`stft`, `mel_spectrogram`, `log_mel` and `mfcc` are composed from tensor functions: they have
derivatives and compile. Their numbers, names of bands and defaults are librosa's. `load`, `info`,
`resample` and `trim_silence` work on NumPy arrays, before any tensor is made.

>>> import numpy as np
>>> from schuss import audio
>>> tone = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000).astype(np.float32)
>>> audio.log_mel(tone, 8000, n_fft=512, hop_length=160, n_mels=40).shape
(40, 51)
"""

from __future__ import annotations

from schuss.audio.files import AudioInfo, info, load
from schuss.audio.resampling import resample
from schuss.audio.silence import trim_silence
from schuss.audio.spectra import hann_window, log_mel, mel_filterbank, mel_spectrogram, mfcc, stft

__all__ = ["AudioInfo", "hann_window", "info", "load", "log_mel", "mel_filterbank"]
__all__ += ["mel_spectrogram", "mfcc", "resample", "stft", "trim_silence"]
