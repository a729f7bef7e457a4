// The text of an actions.yaml, beside a file of SQL that it may name: it ends in a graph or in
// errors with places.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "transform/compile/compile.h"
#include "transform/compile/dataform_json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    biwa::transform::CompileInput input;
    input.files = {
        {"definitions/actions.yaml", std::string(reinterpret_cast<const char*>(data), size)},
        {"definitions/a.sql", "SELECT 1"}};
    const auto compilation = biwa::transform::CompileAll(input);
    for (const auto& error : compilation.errors)
        BIWA_CHECK(!error.message.empty() && error.location.line >= 1);
    BIWA_CHECK(!ToDataformJson(compilation, input.settings).empty());
    return 0;
}
