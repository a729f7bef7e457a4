// A value's bytes, text and binary, to the decoder that its first byte names: a cell or a refusal.
// What is read as a number, a time or an interval from text is never NULL without being counted.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "source/postgres/types.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace biwa;
    using namespace biwa::postgres;
    struct TypeOf {
        Oid oid;
        std::int32_t modifier;
    };
    static const TypeCatalog types = {{1007, {1007, "_int4", 'b', 0, -1, 23}},
                                      {1009, {1009, "_text", 'b', 0, -1, 25}},
                                      {1231, {1231, "_numeric", 'b', 0, -1, 1700}},
                                      {1182, {1182, "_date", 'b', 0, -1, 1082}},
                                      {1187, {1187, "_interval", 'b', 0, -1, 1186}}};
    static constexpr std::int32_t kNumeric38 = (38 << 16 | 10) + 4, kNumeric5 = (5 << 16 | 2) + 4;
    static constexpr TypeOf kTypes[] = {
        {16, -1},           {17, -1},   {18, -1},   {20, -1},   {21, -1},   {23, -1},
        {25, -1},           {26, -1},   {114, -1},  {700, -1},  {701, -1},  {1082, -1},
        {1083, -1},         {1114, -1}, {1184, -1}, {1186, -1}, {1700, -1}, {1700, kNumeric5},
        {1700, kNumeric38}, {2950, -1}, {3802, -1}, {1007, -1}, {1009, -1}, {1231, kNumeric5},
        {1182, -1},         {1187, -1}};
    if (size == 0) return 0;
    const auto& type = kTypes[data[0] % std::size(kTypes)];
    const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto decoder = DecoderFor(type.oid, type.modifier, types);
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
