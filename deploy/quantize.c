// Requantizes a GGUF file to Q4_0 and proves that the result loads and decodes.
//
//   quantize IN.gguf OUT.gguf
//
// The bootstrap compiles this before any Swift is built.
#include <llama.h>
#include <math.h>
#include <stdio.h>

static int fail(const char *what, const char *path) {
    fprintf(stderr, "quantize: %s: %s\n", what, path);
    return 1;
}

static int check(const char *path) {
    struct llama_model *model = llama_model_load_from_file(path, llama_model_default_params());
    if (!model) return fail("cannot load the result", path);
    struct llama_context_params parameters = llama_context_default_params();
    parameters.n_ctx = 64;
    parameters.n_batch = 64;
    struct llama_context *context = llama_init_from_model(model, parameters);
    if (!context) return fail("cannot make a context", path);
    const struct llama_vocab *vocabulary = llama_model_get_vocab(model);
    llama_token token = llama_vocab_bos(vocabulary);
    if (token < 0) token = 0;
    if (llama_decode(context, llama_batch_get_one(&token, 1)) != 0)
        return fail("cannot decode with the result", path);
    const float *logits = llama_get_logits_ith(context, 0);
    for (int i = 0; i < llama_vocab_n_tokens(vocabulary); i++)
        if (!isfinite(logits[i])) return fail("the result gives logits that are no numbers", path);
    llama_free(context);
    llama_model_free(model);
    return 0;
}

int main(int count, char **arguments) {
    if (count != 3) {
        fprintf(stderr, "usage: quantize IN.gguf OUT.gguf\n");
        return 2;
    }
    llama_backend_init();
    llama_model_quantize_params parameters = llama_model_quantize_default_params();
    parameters.ftype = LLAMA_FTYPE_MOSTLY_Q4_0;
    parameters.allow_requantize = true;
    if (llama_model_quantize(arguments[1], arguments[2], &parameters) != 0)
        return fail("cannot quantize", arguments[1]);
    return check(arguments[2]);
}
