// A whole backend in C: it doubles its one FLOAT input. The tests compile it against
// include/redisai_backend.h as a third party would, and load it with the real loader. The macros change
// one thing each, for the tests of the loader's refusals.

#include "redisai_backend.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#ifndef NAME
#define NAME "ONNX"
#endif
#ifndef ABI
#define ABI RAI_ABI_VERSION
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(RaiBackend)
#endif

static const RaiHost *host;

static RaiBytes bytes_of(const char *text) {
    RaiBytes bytes = {(const uint8_t *)text, strlen(text)};
    return bytes;
}

// Static texts need no release, made ones are freed by it.
static int32_t fail(RaiText *error, int32_t status, const char *text, int copy) {
    char *own = copy ? strdup(text) : NULL;
    error->data = (const uint8_t *)(own ? own : text);
    error->len = strlen(text);
    error->ctx = own;
    error->release = own ? free : NULL;
    return status;
}

static int32_t init(const RaiPair *options, size_t n_options, RaiInfo *info, RaiText *error) {
#ifdef STEAL_SIGNAL
    signal(SIGUSR1, SIG_IGN);
#endif
    for (size_t i = 0; i < n_options; i++) {
        if (options[i].name.len == 6 && memcmp(options[i].name.data, "refuse", 6) == 0) {
            return fail(error, RAI_UNSUPPORTED, "ERR told to refuse", 1);
        }
    }
    info->version = bytes_of("c-1.0");
    info->capabilities.flags = RAI_DYNAMIC_SHAPES;
    info->capabilities.min_align = sizeof(float);
    return RAI_OK;
}

// One signature for all models: static, so it is valid until unload and beyond.
static RaiValueInfo x;
static RaiValueInfo y;
static RaiFunction function;
static RaiSignature signature;

static void describe(void) {
    DLDataType f32 = {kDLFloat, 32, 1};
    x.name = bytes_of("x");
    x.dtype = f32;
    x.rank = -1;
    y = x;
    y.name = bytes_of("y");
    function.inputs = &x;
    function.n_inputs = 1;
    function.outputs = &y;
    function.n_outputs = 1;
    signature.functions = &function;
    signature.n_functions = 1;
}

static int32_t load(const RaiLoad *request, RaiLoaded *loaded, RaiText *error) {
    if (request->device.len < 3 || memcmp(request->device.data, "CPU", 3) != 0) {
        return fail(error, RAI_UNSUPPORTED, "ERR this device is not there", 0);
    }
    if (request->blob.len != 6 || memcmp(request->blob.data, "double", 6) != 0) {
        return fail(error, RAI_BAD_MODEL, "ERR the model is not 'double'", 0);
    }
    // The blob is kept as long as the session lives; its owner is the session's handle.
    host->retain(host, request->owner);
    uint64_t *session = malloc(sizeof *session);
    *session = request->owner;
    loaded->model = (uint64_t)(uintptr_t)session;
    loaded->signature = &signature;
    return RAI_OK;
}

static void unload(uint64_t model) {
    uint64_t *session = (uint64_t *)(uintptr_t)model;
    host->release(host, *session);
    free(session);
}

static void delete_tensor(DLManagedTensorVersioned *managed) {
    host->free(host, managed->dl_tensor.data);
    free(managed->dl_tensor.shape);
    free(managed);
}

static int32_t run(uint64_t model, const RaiRun *request, const RaiView *inputs, size_t n_inputs,
                   RaiTensor *outputs, size_t n_outputs, RaiText *error) {
    (void)model;
    (void)request;
    if (n_inputs != 1 || n_outputs != 1) {
        return fail(error, RAI_BAD_INPUT, "ERR one input, one output", 0);
    }
    const DLTensor *in = &inputs[0].tensor;
    if (in->dtype.code != kDLFloat || in->dtype.bits != 32 || in->dtype.lanes != 1) {
        return fail(error, RAI_BAD_INPUT, "ERR the input is not FLOAT", 1);
    }
    size_t count = 1;
    for (int32_t i = 0; i < in->ndim; i++) {
        count *= (size_t)in->shape[i];
    }
    const float *from = (const float *)((const char *)in->data + in->byte_offset);
    float *to = host->tensor_alloc(host, count * sizeof(float), 64);
    if (to == NULL) {
        return fail(error, RAI_NO_MEMORY, "ERR no memory", 0);
    }
    for (size_t i = 0; i < count; i++) {
        to[i] = from[i] * 2;
    }
    DLManagedTensorVersioned *out = calloc(1, sizeof *out);
    out->version.major = DLPACK_MAJOR_VERSION;
    out->version.minor = DLPACK_MINOR_VERSION;
    out->deleter = delete_tensor;
    out->dl_tensor = *in;
    out->dl_tensor.data = to;
    out->dl_tensor.byte_offset = 0;
    out->dl_tensor.shape = malloc((size_t)in->ndim * sizeof(int64_t) + 1);
    memcpy(out->dl_tensor.shape, in->shape, (size_t)in->ndim * sizeof(int64_t));
    outputs[0].managed = out;
    outputs[0].flags = RAI_TENSOR_HOST_MEMORY;
    return RAI_OK;
}

#ifdef REFERENCE
// What a backend of RedisAI 1.2 exports.
int RAI_InitBackendORT(void);
int RAI_InitBackendORT(void) { return 0; }
#elif !defined(NO_ENTRY)
#ifdef UNDEFINED
extern int symbol_that_nobody_has(void);
#endif

int32_t redisai_backend_v1(const RaiHost *given, const RaiBackend **out_table) {
    static RaiBackend table;
#ifdef UNDEFINED
    symbol_that_nobody_has();
#endif
#ifdef REFUSE_HOST
    (void)given;
    return RAI_UNSUPPORTED;
#endif
    host = given;
    describe();
    table.abi_version = ABI;
    table.size = (uint32_t)(TABLE_SIZE);
    table.name = bytes_of(NAME);
    table.init = init;
    table.load = load;
    table.unload = unload;
#ifndef NO_RUN
    table.run = run;
#else
    (void)run;
#endif
    // No cancel, no info: a backend may leave them out.
    *out_table = &table;
    return RAI_OK;
}
#endif
