// A value's bytes, text and binary, to the decoder that its first byte names: a cell or a refusal.
// What is read as a number, a time or an interval from text is never NULL without being counted.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "source/postgres/binary_text.h"
#include "types_for_fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace biwa;
    using namespace biwa::postgres;
    static const auto types = TypesForFuzzing();
    if (size == 0) return 0;
    const auto& type = kFuzzedTypes[data[0] % std::size(kFuzzedTypes)];
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    // What any type is within a composite: its text, whatever the column would be.
    if (const auto writer = TextWriterFor(type.oid, types)) {
        std::string text;
        writer->Append(bytes, text);
        if (bytes.size() < 100) BIWA_CHECK(text.size() < 1'000'000);
    }
    const auto decoder = DecoderFor(type.oid, type.modifier, types, type.dimensions);
    for (const auto decode : {decoder.text, decoder.binary}) {
        RowStore store({{"c", decoder.type, true, ""}});
        const auto row = store.AddRow();
        DecodeContext context{&store.arena()};
        if (!decode(decoder, bytes, store.cells(0), row, context)) continue;
        BIWA_CHECK(store.cells(0).IsNull(row) == (context.unrepresentable > 0) ||
                   decoder.type.id == TypeId::kList);
    }
    return 0;
}
