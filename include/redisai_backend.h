// The C ABI of a redisai-rs backend library. Generated from crates/backend-abi: do not edit.
//
// A backend is a shared library that exports one function, redisai_backend_v1 (see RaiEntry, and the
// end of this file). It fills a RaiBackend, the table of its functions, and gets a RaiHost, the table
// of what the server does for it. crates/testkit/tests/c/double.c is a whole backend in C.
//
// Versions.   RAI_ABI_VERSION names the layout. Within one version tables and structs with a `size`
//             only grow at their end; whoever reads one looks at its size first.
// Ownership.  Who allocates frees: what is handed over for good (RaiText, RaiPairs, RaiTensor) carries
//             the function that releases it. What is lent is valid during the call, or as long as its
//             documentation says.
// Inputs.     A RaiView is the host's memory. To keep it beyond the call: retain(owner), later
//             release(owner). It is never written to.
// Threads.    Every function of both tables may be called from any thread, runs of one model side by
//             side included (unless the capabilities say otherwise). No exception may leave a function.
// Units.      Sizes, alignments and offsets are bytes, strides are elements, times are nanoseconds of
//             CLOCK_MONOTONIC unless a name says otherwise. Numbers have the machine's byte order.
// Texts.      UTF-8 or any bytes, with a length, without a NUL. An error text goes to the client as it
//             is, made one line, its prefix ("ERR ") included.
// Processes.  Handles are numbers, replies are bytes: the same table may be served from another
//             process. Nothing may assume that the other side can follow a handle.

#ifndef REDISAI_BACKEND_H
#define REDISAI_BACKEND_H

#include <stddef.h>
#include <stdint.h>

// DLPack's structs. A dlpack.h that was included before is used instead, one that comes later finds its
// guard set; code that needs more of it than this includes it first.
#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_

// The DLPack version whose layout these structs have.
#define DLPACK_MAJOR_VERSION 1

// Its minor version.
#define DLPACK_MINOR_VERSION 0

// `DLManagedTensorVersioned.flags`: the tensor must not be written to.
#define DLPACK_FLAG_BITMASK_READ_ONLY 1

// `DLManagedTensorVersioned.flags`: the memory is a copy made for this tensor.
#define DLPACK_FLAG_BITMASK_IS_COPIED 2

// Kinds of devices.
enum DLDeviceType
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    kDLCPU = 1,
    kDLCUDA = 2,
    kDLCUDAHost = 3,
    kDLOpenCL = 4,
    kDLVulkan = 7,
    kDLMetal = 8,
    kDLVPI = 9,
    kDLROCM = 10,
    kDLROCMHost = 11,
    kDLExtDev = 12,
    kDLCUDAManaged = 13,
    kDLOneAPI = 14,
    kDLWebGPU = 15,
    kDLHexagon = 16,
    kDLMAIA = 17,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum DLDeviceType DLDeviceType;
#else
typedef int32_t DLDeviceType;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Classes of element types.
enum DLDataTypeCode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint8_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    kDLInt = 0,
    kDLUInt = 1,
    kDLFloat = 2,
    kDLOpaqueHandle = 3,
    kDLBfloat = 4,
    kDLComplex = 5,
    kDLBool = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum DLDataTypeCode DLDataTypeCode;
#else
typedef uint8_t DLDataTypeCode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Version of the DLPack layout.
typedef struct DLPackVersion {
    // Another major version is another layout.
    uint32_t major;
    // A newer minor version adds only.
    uint32_t minor;
} DLPackVersion;

// A device: its kind (a `DLDeviceType`) and number.
typedef struct DLDevice {
    // A `DLDeviceType`.
    int32_t device_type;
    // Its number, from 0.
    int32_t device_id;
} DLDevice;

// An element type.
typedef struct DLDataType {
    // A `DLDataTypeCode`, or another number that both sides know.
    uint8_t code;
    // Bits of one lane.
    uint8_t bits;
    // Always 1 here.
    uint16_t lanes;
} DLDataType;

// A tensor that somebody else owns.
typedef struct DLTensor {
    // Start of the memory. May be null where there are no bytes.
    void *data;
    // Where the memory is.
    struct DLDevice device;
    // Number of dimensions, at most 1024.
    int32_t ndim;
    // Element type.
    struct DLDataType dtype;
    // `ndim` dimensions.
    int64_t *shape;
    // `ndim` strides in elements; null: compact, row-major.
    int64_t *strides;
    // Bytes from `data` to the first element.
    uint64_t byte_offset;
} DLTensor;

// A tensor that owns its memory: whoever holds it calls `deleter` once.
typedef struct DLManagedTensorVersioned {
    // Layout version; the major one must be `DLPACK_MAJOR_VERSION`.
    struct DLPackVersion version;
    // The owner's own.
    void *manager_ctx;
    // Frees the tensor and this struct. May be null: nothing to free.
    void (*deleter)(struct DLManagedTensorVersioned *tensor);
    // `DLPACK_FLAG_BITMASK_…`.
    uint64_t flags;
    // The tensor.
    struct DLTensor dl_tensor;
} DLManagedTensorVersioned;

// DLPack's older form, for code that includes this header in place of `dlpack.h`; the ABI does not
// use it.
typedef struct DLManagedTensor {
    // The tensor.
    struct DLTensor dl_tensor;
    // The owner's own.
    void *manager_ctx;
    // Frees the tensor and this struct.
    void (*deleter)(struct DLManagedTensor *tensor);
} DLManagedTensor;

#elif !defined(DLPACK_MAJOR_VERSION) || DLPACK_MAJOR_VERSION != 1
#error "redisai_backend.h needs DLPack 1.x: this dlpack.h is another version"
#endif

// Names of the pairs that `init` gets. One that a backend does not know is ignored.
// Path of the framework's main library; left out where the system's own search is to find it.
#define RAI_OPTION_FRAMEWORK "framework"
// The site-packages directory in which the framework was found; left out where none was.
#define RAI_OPTION_SITE_PACKAGES "site_packages"
// Threads of one operation, for the whole process; 0 or left out: the machine's cores.
#define RAI_OPTION_INTRA_OP_THREADS "intra_op_threads"
// Operations of one run side by side; 0 or left out: the framework's choice.
#define RAI_OPTION_INTER_OP_THREADS "inter_op_threads"
// Bytes that the framework may hold; 0 or left out: no limit.
#define RAI_OPTION_MEMORY_LIMIT "memory_limit"
// `yes`: models that are machine code may be loaded; left out or anything else: they may not.
#define RAI_OPTION_NATIVE_MODELS "native_models"
// Milliseconds after which a run is stopped; 0 or left out: never.
#define RAI_OPTION_EXECUTION_TIMEOUT_MS "execution_timeout_ms"

// Done.
#define RAI_OK 0

// The model cannot be used: the user's file.
#define RAI_BAD_MODEL 1

// The inputs do not fit the model: the user's request.
#define RAI_BAD_INPUT 2

// The backend cannot do this (device, dtype, format, function).
#define RAI_UNSUPPORTED 3

// The run itself failed.
#define RAI_RUN_FAILED 4

// The run was stopped on request.
#define RAI_CANCELLED 5

// An allocation was refused.
#define RAI_NO_MEMORY 6

// The device went away.
#define RAI_DEVICE_LOST 7

// The backend's process went away.
#define RAI_LOST 8

// From `run`: this session must not be used again, build a new one. From `init` and `load`: this
// backend must not be used again.
#define RAI_POISONED 9

// `RaiValueInfo.kind`: a tensor, or an optional one.
#define RAI_VALUE_TENSOR 0

// `RaiValueInfo.kind`: a sequence of maps to float, given as a FLOAT tensor `[n, classes]`.
#define RAI_VALUE_ZIPMAP 1

// `RaiValueInfo.kind`: anything else; its output is no tensor.
#define RAI_VALUE_OTHER 2

// `RaiFunction.flags`: the last input takes all that is left.
#define RAI_VARIADIC_INPUTS 1

// `RaiFunction.flags`: the number of outputs shows only at the run.
#define RAI_VARIADIC_OUTPUTS 2

// `RaiSignature.flags`: the model holds operations with sub-graphs (`If`, `Loop`).
#define RAI_CONTROL_FLOW 1

// `level` of `RaiHost.log`: for developers.
#define RAI_LOG_DEBUG 0

// `level` of `RaiHost.log`: details.
#define RAI_LOG_VERBOSE 1

// `level` of `RaiHost.log`: what an operator wants to see once.
#define RAI_LOG_NOTICE 2

// `level` of `RaiHost.log`: what an operator must see.
#define RAI_LOG_WARNING 3

// The version of this ABI. Another number is another layout; within one version structs only grow
// at their end, and say their size.
#define RAI_ABI_VERSION 1

// The type code of `STRING` tensors. Ours, not DLPack's (whose 7 is a float8): bits 8, lanes 1,
// and the tensor's `offsets` say where each element starts.
#define RAI_DTYPE_STRING 200

// `RaiTensor.flags`: the memory is the host's own (from `tensor_alloc`, or an input's that was
// retained). Without it the memory counts as foreign, and is copied before it is kept as a key.
#define RAI_TENSOR_HOST_MEMORY 1

// `RaiCapabilities.flags`: rows of several requests may be joined along dimension 0.
#define RAI_CAN_BATCH 1

// `RaiCapabilities.flags`: `cancel` can stop a run.
#define RAI_CAN_CANCEL 2

// `RaiCapabilities.flags`: models have named functions (scripts).
#define RAI_HAS_FUNCTIONS 4

// `RaiCapabilities.flags`: dimensions may differ from run to run.
#define RAI_DYNAMIC_SHAPES 8

// `RaiLoad.kind`: a model.
#define RAI_LOAD_MODEL 0

// `RaiLoad.kind`: a script's source.
#define RAI_LOAD_SCRIPT 1

// Bytes that somebody else keeps, for as long as the place where they stand says. Need not be UTF-8,
// has no NUL at its end. `data` may be null where `len` is 0.
typedef struct RaiBytes {
    // First byte.
    const uint8_t *data;
    // Number of bytes.
    size_t len;
} RaiBytes;

// Bytes that the receiver owns: an error text, a reply. Whoever gets one calls
// `release(ctx)` once when it has read `data`; with `release` null there is nothing to free.
//
// An error text is one line of UTF-8 and goes to the client as it is, its prefix (`ERR …`) included.
typedef struct RaiText {
    // First byte; may be null where `len` is 0.
    const uint8_t *data;
    // Number of bytes.
    size_t len;
    // The owner's own.
    void *ctx;
    // Frees the text. Called with `ctx`, from any thread. May be null.
    void (*release)(void *ctx);
} RaiText;

// A name and a value. Order matters and names may repeat.
typedef struct RaiPair {
    // The name.
    struct RaiBytes name;
    // The value.
    struct RaiBytes value;
} RaiPair;

// Pairs that the receiver owns; released as `RaiText`.
typedef struct RaiPairs {
    // First pair; may be null where `len` is 0.
    const struct RaiPair *items;
    // Number of pairs.
    size_t len;
    // The owner's own.
    void *ctx;
    // Frees the pairs and what they point at. May be null.
    void (*release)(void *ctx);
} RaiPairs;

// One input or output of a function, as the model declares it.
typedef struct RaiValueInfo {
    // Its name, any bytes.
    struct RaiBytes name;
    // `RAI_VALUE_…`.
    int32_t kind;
    // Element type; all zeros: not known, or none of ours.
    DLDataType dtype;
    // Number of dimensions; −1: not known.
    int32_t rank;
    // 0.
    int32_t reserved;
    // `rank` dimensions, −1 for each that is not fixed.
    const int64_t *dims;
    // For a ZipMap: the class of each column, where known.
    const struct RaiBytes *classes;
    // Number of `classes`.
    size_t n_classes;
} RaiValueInfo;

// A function of a loaded model. A plain model has one, with an empty name.
typedef struct RaiFunction {
    // Its name, any bytes.
    struct RaiBytes name;
    // Its inputs, in order.
    const struct RaiValueInfo *inputs;
    // Number of `inputs`.
    size_t n_inputs;
    // Its outputs, in order.
    const struct RaiValueInfo *outputs;
    // Number of `outputs`.
    size_t n_outputs;
    // `RAI_VARIADIC_…`.
    uint32_t flags;
    // 0.
    uint32_t reserved;
} RaiFunction;

// What a loaded model says of itself.
typedef struct RaiSignature {
    // Its functions; at least one for a model.
    const struct RaiFunction *functions;
    // Number of `functions`.
    size_t n_functions;
    // `RAI_CONTROL_FLOW`.
    uint32_t flags;
    // 0.
    uint32_t reserved;
} RaiSignature;

// A tensor that the receiver owns and releases through `managed->deleter`: from any thread, also
// after the model is unloaded or poisoned. It must not alias an input unless that input's owner was
// retained.
typedef struct RaiTensor {
    // The tensor, compact and in host memory; null: no tensor.
    DLManagedTensorVersioned *managed;
    // For `STRING`, as in `RaiView`; lives as long as `managed`.
    const uint64_t *offsets;
    // Bytes behind the data that may be read too.
    uint32_t tail;
    // `RAI_TENSOR_…`.
    uint32_t flags;
} RaiTensor;

// What the host does for a backend. Lives for ever; every function may be called from any thread
// and takes the table itself first. The backend checks `size` before it uses a member that a later
// release added.
typedef struct RaiHost {
    // `RAI_ABI_VERSION` of the host.
    uint32_t abi_version;
    // Bytes of this table as the host knows it.
    uint32_t size;
    // Memory of the host: `bytes` many, aligned to `align` (a power of two, at most 4096), not
    // cleared. Null: refused, which is no reason to abort.
    void *(*alloc)(const struct RaiHost *host, size_t bytes, size_t align);
    // Memory for a tensor, likewise, and readable up to the next multiple of 64. Where a backend
    // runs in a process of its own, this is what both processes share.
    void *(*tensor_alloc)(const struct RaiHost *host, size_t bytes, size_t align);
    // Gives back memory of `alloc` or `tensor_alloc`; null is ignored.
    void (*free)(const struct RaiHost *host, void *memory);
    // Writes a line to the log (`RAI_LOG_…`). The text is never a format.
    void (*log)(const struct RaiHost *host, int32_t level, struct RaiBytes text);
    // Keeps an input's or a model blob's memory beyond the call that brought it.
    void (*retain)(const struct RaiHost *host, uint64_t owner);
    // Ends one `retain`.
    void (*release)(const struct RaiHost *host, uint64_t owner);
    // Runs a server command for a script. `call_ctx` is the run's. On `RAI_OK` `reply` gets the
    // reply as RESP2 bytes, otherwise an error text. Waits until the run's deadline.
    int32_t (*call)(const struct RaiHost *host,
                    uint64_t call_ctx,
                    const struct RaiBytes *argv,
                    size_t argc,
                    struct RaiText *reply);
    // Runs the model of a key for a script, on the calling thread. Takes the `inputs` over, whatever
    // it returns. On `RAI_OK` `outputs` holds `n_outputs` tensors, otherwise none, and `error` a
    // text.
    int32_t (*run_model)(const struct RaiHost *host,
                         uint64_t call_ctx,
                         struct RaiBytes key,
                         struct RaiTensor *inputs,
                         size_t n_inputs,
                         struct RaiTensor *outputs,
                         size_t n_outputs,
                         struct RaiText *error);
} RaiHost;

// An input: the host's memory, which must not be written to. Valid during the call; whoever keeps
// it longer calls `retain(owner)` first and `release(owner)` at the end.
typedef struct RaiView {
    // Compact, row-major (`strides` is null), in host memory. No alignment is promised beyond what
    // the capabilities ask for.
    DLTensor tensor;
    // For `STRING`: where each element starts, and the length of all bytes at the end; one more
    // than there are elements. Every element is followed by a NUL that is not part of it. Null for
    // other dtypes.
    const uint64_t *offsets;
    // Handle for `retain` and `release`; never 0.
    uint64_t owner;
    // Bytes behind the data that may be read too.
    uint32_t tail;
    // 0.
    uint32_t reserved;
} RaiView;

// What a backend can do. The host asks; it never tries and sees.
typedef struct RaiCapabilities {
    // `RAI_CAN_…`, `RAI_HAS_…`, `RAI_DYNAMIC_SHAPES`.
    uint64_t flags;
    // How many runs of one model may go on at once; 0: any number.
    uint32_t max_concurrent_runs;
    // Alignment that inputs must have, in bytes, a power of two up to 4096; 0 or 1: none. The host
    // makes aligned copies.
    uint32_t min_align;
    // Readable bytes that inputs must have behind their end.
    uint32_t tail_bytes;
    // 0.
    uint32_t reserved;
    // Devices that it can use now (`CPU`, `GPU:0`, …); none: it does not say.
    const struct RaiBytes *devices;
    // Number of `devices`.
    size_t n_devices;
    // Element types that it takes and gives; none: it does not say.
    const DLDataType *dtypes;
    // Number of `dtypes`.
    size_t n_dtypes;
    // Model formats that it reads (`onnx`, `saved_model`, …); none: it does not say.
    const struct RaiBytes *formats;
    // Number of `formats`.
    size_t n_formats;
} RaiCapabilities;

// What `init` says. The host sets `size` and clears the rest; what the backend puts in lives for
// ever.
typedef struct RaiInfo {
    // Bytes of this struct as the host knows it; nothing behind them is written.
    size_t size;
    // The framework's version.
    struct RaiBytes version;
    // The framework's path; empty where there is none.
    struct RaiBytes framework;
    // What the backend can do. Stays the last member: it grows at its end.
    struct RaiCapabilities capabilities;
} RaiInfo;

// A request to build a session.
typedef struct RaiLoad {
    // Bytes of this struct as the host knows it; nothing behind them is there.
    size_t size;
    // `RAI_LOAD_…`.
    int32_t kind;
    // Bytes behind the blob that may be read too.
    uint32_t tail;
    // The model's or script's bytes. Valid during the call, or as long as `owner` is retained.
    struct RaiBytes blob;
    // Handle for `retain` and `release`; never 0.
    uint64_t owner;
    // The device as the client named it: `CPU`, `GPU:1`, …, any bytes. One that is not there is
    // refused, never replaced by another.
    struct RaiBytes device;
    // Options: `input`, `output`, `entry_point`, …
    const struct RaiPair *options;
    // Number of `options`.
    size_t n_options;
} RaiLoad;

// A built session.
typedef struct RaiLoaded {
    // The handle for `run`, `info` and `unload`; never 0.
    uint64_t model;
    // Valid until `unload`.
    const struct RaiSignature *signature;
} RaiLoaded;

// One run. Everything in it is valid during the call.
typedef struct RaiRun {
    // Bytes of this struct as the host knows it; nothing behind them is there.
    size_t size;
    // Number of the run, unique in the process: what `cancel` takes.
    uint64_t run_id;
    // What the backend hands to `call` and `run_model`; 0 for models.
    uint64_t call_ctx;
    // When it must be over: nanoseconds of `CLOCK_MONOTONIC`; 0: never. A run looks at it when it
    // starts.
    uint64_t deadline;
    // The function to run; empty for a model's only one.
    struct RaiBytes function;
    // Key names, for scripts.
    const struct RaiBytes *keys;
    // Number of `keys`.
    size_t n_keys;
    // Arguments, for scripts.
    const struct RaiBytes *args;
    // Number of `args`.
    size_t n_args;
} RaiRun;

// A backend's functions. Lives for ever, is never changed, and `abi_version`, `size` and `name` are
// set before the entry returns. Every function may be called from any thread; none may let an
// exception or a panic out. Where a function returns a status other than `RAI_OK` it fills `error`,
// which the host cleared before, and no other result.
typedef struct RaiBackend {
    // `RAI_ABI_VERSION` of the backend.
    uint32_t abi_version;
    // Bytes of this table as the backend knows it.
    uint32_t size;
    // The backend's own name: `TF`, `TFLITE`, `TORCH`, `ONNX`.
    struct RaiBytes name;
    // Called once, before anything else: loads the framework. After an error it may be called
    // again. The names of the pairs are `RAI_OPTION_…`.
    int32_t (*init)(const struct RaiPair *options,
                    size_t n_options,
                    struct RaiInfo *info,
                    struct RaiText *error);
    // Builds a session.
    int32_t (*load)(const struct RaiLoad *request, struct RaiLoaded *loaded, struct RaiText *error);
    // Ends a session; no run of it is going on, and none comes. Its outputs live on.
    void (*unload)(uint64_t model);
    // Runs on the calling thread. The host cleared the `n_outputs` places of `outputs`; on `RAI_OK`
    // each holds a tensor or null, otherwise all are null.
    int32_t (*run)(uint64_t model,
                   const struct RaiRun *run,
                   const struct RaiView *inputs,
                   size_t n_inputs,
                   struct RaiTensor *outputs,
                   size_t n_outputs,
                   struct RaiText *error);
    // Asks a run to stop: any number of times; a number that is not running is ignored.
    void (*cancel)(uint64_t run_id);
    // Figures of a session, or of the backend where `model` is 0: bytes held, allocator counts. May
    // be null: no figures.
    void (*info)(uint64_t model, struct RaiPairs *pairs);
} RaiBackend;

// The one symbol that a backend library exports, under the name `redisai_backend_v1`. Puts its
// table into `out_table` and keeps `host`, which lives for ever. Returns `RAI_OK`, or
// `RAI_UNSUPPORTED` where it cannot work with this host (`abi_version`). Called once; does no work:
// that is for `init`.
typedef int32_t (*RaiEntry)(const struct RaiHost *host, const struct RaiBackend **out_table);

#ifdef __cplusplus
extern "C" {
#endif

// The function that a backend library exports: a RaiEntry.
__attribute__((visibility("default")))
int32_t redisai_backend_v1(const RaiHost *host, const RaiBackend **out_table);

#ifdef __cplusplus
}
#endif

#endif
