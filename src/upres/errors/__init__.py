"""Every error upres raises: one tree, each leaf with a stable code and a word on whose fault it is.

UpresError
├── CallerError            blame: caller (the picture or the request is at fault)
│   ├── UnreadablePicture      bad-picture
│   ├── UnsupportedPicture     unsupported-picture
│   ├── PictureTooLarge        picture-too-large
│   ├── UnreadableVideo        bad-video
│   ├── UnsupportedVideo       unsupported-video
│   ├── InvalidOption          invalid-option
│   ├── UnknownModel           unknown-model
│   ├── ModelRefused           model-refused
│   ├── JobMissing             job-missing
│   ├── JobNotReady            job-not-ready
│   ├── IdempotencyConflict    idempotency-conflict
│   ├── NoFile                 no-file
│   ├── JobGone                job-gone
│   ├── Unauthorized           unauthorized
│   └── Forbidden              forbidden
├── SetupError             blame: setup (this machine or installation is at fault)
│   ├── InputNotReadable       input-not-readable
│   ├── OutputNotWritable      output-not-writable
│   ├── ModelMissing           model-missing
│   ├── ModelDamaged           model-damaged
│   ├── ModelFolderNotWritable model-folder-not-writable
│   ├── ModelFolderNotReadable model-folder-not-readable
│   ├── DownloadFailed         download-failed
│   ├── EngineMissing          engine-missing
│   ├── ExtraMissing           extra-missing
│   ├── PrecisionUnavailable   precision-unavailable
│   ├── DatabaseUnusable       database-unusable
│   ├── DatabaseTooNew         database-too-new
│   ├── BlobMissing            blob-missing
│   ├── SandboxUnavailable     sandbox-unavailable
│   ├── KeysUnusable           keys-unusable
│   └── NoWorker               no-worker
├── CapacityError          blame: capacity (right request, too little room)
│   ├── DiskFull               disk-full
│   ├── OutOfMemory            out-of-memory
│   ├── BlobFolderFull         blob-folder-full
│   ├── JobTimeout             job-timeout
│   ├── QueueFull              queue-full
│   ├── ClientQueueFull        client-queue-full
│   ├── DatabaseBusy           database-busy
│   ├── RateLimited            rate-limited
│   ├── ServerBusy             server-busy
│   └── ServerStopping         server-stopping
├── EngineFailed           blame: bug (engine-failed)
├── EncodingFailed         blame: bug (encoding-failed)
└── Cancelled              blame: caller (cancelled)
"""

from __future__ import annotations

from upres.errors.bug import (
    EncodingFailed,
    EngineFailed,
)
from upres.errors.caller import (
    Cancelled,
    IdempotencyConflict,
    InvalidOption,
    JobMissing,
    JobNotReady,
    ModelRefused,
    PictureTooLarge,
    UnknownModel,
    UnreadablePicture,
    UnreadableVideo,
    UnsupportedPicture,
    UnsupportedVideo,
)
from upres.errors.capacity import (
    BlobFolderFull,
    ClientQueueFull,
    DatabaseBusy,
    DiskFull,
    JobTimeout,
    OutOfMemory,
    QueueFull,
)
from upres.errors.requests import (
    Forbidden,
    JobGone,
    KeysUnusable,
    NoFile,
    NoWorker,
    RateLimited,
    ServerBusy,
    ServerStopping,
    Unauthorized,
)
from upres.errors.setup import (
    BlobMissing,
    DatabaseTooNew,
    DatabaseUnusable,
    DownloadFailed,
    EngineMissing,
    ExtraMissing,
    InputNotReadable,
    ModelDamaged,
    ModelFolderNotReadable,
    ModelFolderNotWritable,
    ModelMissing,
    OutputNotWritable,
    PrecisionUnavailable,
    SandboxUnavailable,
)
from upres.errors.tree import (
    Blame,
    CallerError,
    CapacityError,
    SetupError,
    UpresError,
)

__all__ = [
    "Blame",
    "BlobFolderFull",
    "BlobMissing",
    "CallerError",
    "Cancelled",
    "CapacityError",
    "ClientQueueFull",
    "DatabaseBusy",
    "DatabaseTooNew",
    "DatabaseUnusable",
    "DiskFull",
    "DownloadFailed",
    "EncodingFailed",
    "EngineFailed",
    "EngineMissing",
    "ExtraMissing",
    "Forbidden",
    "IdempotencyConflict",
    "InputNotReadable",
    "InvalidOption",
    "JobGone",
    "JobMissing",
    "JobNotReady",
    "JobTimeout",
    "KeysUnusable",
    "ModelDamaged",
    "ModelFolderNotReadable",
    "ModelFolderNotWritable",
    "ModelMissing",
    "ModelRefused",
    "NoFile",
    "NoWorker",
    "OutOfMemory",
    "OutputNotWritable",
    "PictureTooLarge",
    "PrecisionUnavailable",
    "QueueFull",
    "RateLimited",
    "SandboxUnavailable",
    "ServerBusy",
    "ServerStopping",
    "SetupError",
    "Unauthorized",
    "UnknownModel",
    "UnreadablePicture",
    "UnreadableVideo",
    "UnsupportedPicture",
    "UnsupportedVideo",
    "UpresError",
]

# one name for each, whatever file it is in: in tracebacks, pickles and logs
for _name in __all__:
    globals()[_name].__module__ = __name__
