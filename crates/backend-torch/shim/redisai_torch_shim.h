/* All that the backend asks of libtorch, in plain C. TorchScript has no C interface, so this library
 * puts one over it. It is compiled for one minor version of torch and keeps no policy: it does what it
 * is told and says what happened. No function lets an exception out.
 *
 * The backend's `src/sys.rs` has the same declarations in Rust. A change of either changes both; the
 * hash of this folder, which is part of the library's name, keeps two that differ apart. */
#ifndef REDISAI_TORCH_SHIM_H
#define REDISAI_TORCH_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What a function came to. */
enum {
  RTS_OK = 0,
  RTS_ERROR = 1,      /* torch says no; the text is its own, without native frames */
  RTS_NO_MEMORY = 2,  /* memory was refused outside of the host's allocator */
  RTS_NO_TENSOR = 3   /* an output is neither a tensor nor made of tensors */
};

/* What a value is. */
enum {
  RTS_OTHER = 0,
  RTS_TENSOR = 1,
  RTS_TENSORS = 2, /* List[Tensor], or as an output Dict[_, Tensor] */
  RTS_STRINGS = 3  /* List[str] */
};

/* Bytes that somebody else keeps. */
typedef struct rts_bytes {
  const char *data;
  size_t len;
} rts_bytes;

/* Bytes that the receiver owns and frees with `free` of the C library; null: none. */
typedef struct rts_text {
  char *data;
  size_t len;
} rts_text;

/* A compact tensor in the processor's memory. The type is DLPack's code (6 for bool) and bits. */
typedef struct rts_tensor {
  void *handle; /* of an output: its owner, for `drop_tensor`; null: no tensor */
  void *data;
  const int64_t *dims;
  size_t rank;
  size_t bytes;
  uint8_t code;
  uint8_t bits;
  uint8_t shared; /* of an output: others hold this memory too, or it is part of a larger block */
} rts_tensor;

/* What the library asks of the backend. Lives for ever; any thread may call. */
typedef struct rts_host {
  /* Memory aligned to 64 bytes; null: refused, and `refusal` says why. */
  void *(*allocate)(size_t bytes);
  void (*release)(void *memory);
  /* Why memory was last refused on this thread; static. */
  const char *(*refusal)(void);
  /* A line of a model's `print` (0) or a warning of torch (1). */
  void (*log)(int warning, const char *text, size_t len);
  /* Runs a server command. RTS_OK: `reply` is RESP2; else it is an error text. */
  int (*call)(uint64_t context, const rts_bytes *argv, size_t argc, rts_text *reply);
  /* Runs the model of a key. RTS_OK: `outputs` holds `n_outputs` tensors whose handles go back
   * through `drop_model_output`; else `error` is a text. */
  int (*run_model)(uint64_t context, rts_bytes key, const rts_tensor *inputs, size_t n_inputs,
                   rts_tensor *outputs, size_t n_outputs, rts_text *error);
  void (*drop_model_output)(void *handle);
} rts_host;

/* A name and a type. */
typedef struct rts_value {
  const char *name;
  uint8_t kind;
  uint8_t has_default;
} rts_value;

typedef struct rts_function {
  const char *name;
  const rts_value *inputs;
  size_t n_inputs;
  const rts_value *outputs; /* the elements of a tuple, one by one */
  size_t n_outputs;
} rts_function;

/* What a model or script is; valid as long as it is. */
typedef struct rts_description {
  const rts_function *functions;
  size_t n_functions;
  const char *const *operators; /* of all functions, each once: `aten::add`, `prim::Loop` */
  size_t n_operators;
  uint8_t keeps_state; /* it writes to attributes of its own */
} rts_description;

/* Where a function's argument comes from: `count` items of the inputs or strings from `first` on. */
typedef struct rts_argument {
  uint8_t kind; /* RTS_TENSOR, RTS_TENSORS, RTS_STRINGS */
  size_t first;
  size_t count;
} rts_argument;

typedef struct rts_run {
  size_t function;
  const uint8_t *stop; /* set by another thread: the run ends with an error */
  uint64_t call_context;
  const rts_argument *arguments;
  size_t n_arguments;
  const rts_tensor *inputs;
  const rts_bytes *strings;
} rts_run;

typedef struct rts_model rts_model;

typedef struct rts_setup {
  const rts_host *host;
  int intra_op_threads;
  int inter_op_threads;
  /* Operators that no model may use, such as `aten::save`: they are taken out. */
  const char *const *forbidden;
  size_t n_forbidden;
} rts_setup;

/* Bounds of a script's source. */
typedef struct rts_bounds {
  size_t depth; /* of its syntax tree */
  size_t nodes;
} rts_bounds;

typedef struct rts_table {
  size_t size; /* of this struct */
  int torch_major; /* of the headers */
  int torch_minor;
  uint64_t newest_format; /* of an archive that this torch reads */
  /* Once a process, before anything else. */
  int (*setup)(const rts_setup *setup, rts_text *error);
  /* Number of CUDA devices; 0 where there is no CUDA. */
  int (*cuda_devices)(int *count, rts_text *error);
  /* `cuda` < 0: the processor, else that device. */
  int (*load)(rts_bytes archive, int cuda, rts_model **model, rts_text *error);
  /* A package of AOTInductor, at a path that stays readable during the call. Its numbers of inputs and
   * outputs are the caller's to know: torch does not say them. Its one function, `forward`, may write
   * to any input. A run of it cannot be stopped. */
  int (*load_package)(const char *path, int cuda, size_t n_inputs, size_t n_outputs,
                      rts_model **model, rts_text *error);
  int (*compile)(rts_bytes source, int cuda, const rts_bounds *bounds, rts_model **model,
                 rts_text *error);
  void (*describe)(const rts_model *model, rts_description *description);
  void (*drop_model)(rts_model *model);
  /* The outputs' tensors, those in tuples, lists and dicts one by one in their order. `count` is how
   * many there are; more than `capacity`: none is given. */
  int (*run)(rts_model *model, const rts_run *run, rts_tensor *outputs, size_t capacity,
             size_t *count, rts_text *error);
  void (*drop_tensor)(void *handle);
} rts_table;

/* The one symbol. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const rts_table *redisai_torch_shim(void);

#ifdef __cplusplus
}
#endif

#endif
