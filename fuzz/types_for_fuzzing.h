// The types that the fuzzers of PostgreSQL's values share: built in, and made of others.
#pragma once

#include "source/postgres/types.h"

namespace biwa::postgres {

struct FuzzedType {
    Oid oid;
    std::int32_t modifier = -1;
    int dimensions = 0;
};

inline constexpr std::int32_t kNumeric38 = (38 << 16 | 10) + 4, kNumeric5 = (5 << 16 | 2) + 4;

// The seeds name a type by its place here: new ones go to the end.
inline constexpr FuzzedType kFuzzedTypes[] = {
    {16},
    {17},
    {18},
    {20},
    {21},
    {23},
    {25},
    {26},
    {114},
    {700},
    {701},
    {1082},
    {1083},
    {1114},
    {1184},
    {1186},
    {1700},
    {1700, kNumeric5},
    {1700, kNumeric38},
    {2950},
    {3802},
    {1007},
    {1009},
    {1231, kNumeric5},
    {1182},
    {1187},
    {790},
    {1266},
    {869},
    {650},
    {829},
    {1560},
    {3220},
    {27},
    {28},
    {5069},
    {5038},
    {4072},
    {600},
    {601},
    {602},
    {603},
    {604},
    {628},
    {718},
    {3614},
    {3615},
    {3904},
    {4451},
    {90'001},
    {90'002},
    {90'003},
    {90'004},
    {1007, -1, 2},
    {1009, -1, 3},
    {1020},
    {90'005},
    {90'006},
    {22},
};

inline TypeCatalog TypesForFuzzing() {
    TypeCatalog types;
    const auto add = [&](TypeInfo info) { types[info.oid] = std::move(info); };
    add({1007, "_int4", 'b', 0, -1, 23});
    add({1009, "_text", 'b', 0, -1, 25});
    add({1231, "_numeric", 'b', 0, -1, 1700});
    add({1182, "_date", 'b', 0, -1, 1082});
    add({1187, "_interval", 'b', 0, -1, 1186});
    add({603, "box", 'b', 0, -1, 0, 0, ';'});
    add({1020, "_box", 'b', 0, -1, 603, 0, ';'});
    add({3904, "int4range", 'r', 0, -1, 23});
    add({4451, "int4multirange", 'm', 0, -1, 3904});
    // A composite of a number, a text, a composite and a range; arrays of it; ranges of texts.
    add({90'001, "inner", 'c'});
    types[90'001].fields = {23, 25};
    add({90'002, "outer", 'c'});
    types[90'002].fields = {701, 1009, 90'001, 3904, 1700, 1184, 1186};
    add({90'003, "_outer", 'b', 0, -1, 90'002});
    add({90'004, "hstore", 'b'});
    types[90'004].send = "hstore.hstore_send";
    types[90'004].output = "hstore.hstore_out";
    add({90'005, "textrange", 'r', 0, -1, 25});
    add({90'006, "table_of_ints", 'd', 1007, -1, 0, 2});
    return types;
}

}  // namespace biwa::postgres
