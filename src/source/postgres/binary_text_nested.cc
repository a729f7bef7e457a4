// Values that are made of others: arrays, ranges, composites, and what has words in it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "source/postgres/binary_text.h"
#include "source/postgres/bytes.h"

namespace biwa::postgres {

namespace {

// array_isspace and, in the locales that a server may have, isspace.
bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool HasAny(std::string_view text, std::string_view special) {
    return std::any_of(text.begin(), text.end(), [&](char c) {
        return IsSpace(c) || special.find(c) != std::string_view::npos;
    });
}

bool IsNullWord(std::string_view text) {
    constexpr std::string_view kNull = "null";
    return text.size() == kNull.size() &&
           std::equal(text.begin(), text.end(), kNull.begin(),
                      [](char a, char b) { return (a | 0x20) == b; });
}

// "…" with a mark before each quote and backslash: a backslash, or the character itself.
void AppendQuoted(std::string_view value, bool doubled, std::string& text) {
    text += '"';
    for (const char c : value) {
        if (c == '"' || c == '\\') text += doubled ? c : '\\';
        text += c;
    }
    text += '"';
}

// As ranges and composites quote their parts.
void AppendPart(std::string_view value, std::string_view special, std::string& text) {
    if (value.empty() || HasAny(value, special)) {
        AppendQuoted(value, true, text);
    } else {
        text += value;
    }
}

// 'a''b\\c', as lexemes are quoted.
void AppendLexeme(std::string_view lexeme, std::string& text) {
    text += '\'';
    for (const char c : lexeme) {
        if (c == '\'' || c == '\\') text += c;
        text += c;
    }
    text += '\'';
}

bool AppendElements(const TextWriter& writer, const ArrayHeader& header, int level,
                    ByteReader& reader, std::string& text) {
    text += '{';
    std::string value;
    for (std::int32_t i = 0; i < header.sizes[level]; ++i) {
        if (i > 0) text += writer.delimiter;
        if (level + 1 < header.dimensions) {
            if (!AppendElements(writer, header, level + 1, reader, text)) return false;
            continue;
        }
        std::optional<std::string_view> element;
        if (!reader.Field(element)) return false;
        if (!element) {
            text += "NULL";
            continue;
        }
        value.clear();
        if (!writer.element->Append(*element, value)) return false;
        const char special[] = {'"', '\\', '{', '}', writer.delimiter};
        if (value.empty() || IsNullWord(value) || HasAny(value, {special, sizeof special})) {
            AppendQuoted(value, false, text);
        } else {
            text += value;
        }
    }
    text += '}';
    return true;
}

}  // namespace

// array_out: "{1,NULL,\"a \\\"b\\\"\"}", with "[2:3]=" in front where a lower bound is not 1.
BIWA_WRITE_FUNCTION(WriteArray) {
    ByteReader reader(bytes);
    ArrayHeader header;
    if (!header.Read(reader)) return false;
    if (header.elements == 0) {
        text += "{}";
        return reader.at_end();
    }
    const bool usual = std::all_of(header.lower_bounds, header.lower_bounds + header.dimensions,
                                   [](std::int32_t bound) { return bound == 1; });
    for (int i = 0; !usual && i < header.dimensions; ++i) {
        const std::int64_t lower = header.lower_bounds[i];
        text += fmt::format("[{}:{}]", lower, lower + header.sizes[i] - 1);
    }
    if (!usual) text += '=';
    return AppendElements(writer, header, 0, reader, text) && reader.at_end();
}

// int2vector and oidvector: sent as arrays, written with spaces.
BIWA_WRITE_FUNCTION(WriteVector) {
    ByteReader reader(bytes);
    ArrayHeader header;
    if (!header.Read(reader) || header.dimensions > 1) return false;
    for (std::size_t i = 0; i < header.elements; ++i) {
        std::optional<std::string_view> element;
        if (i > 0) text += ' ';
        if (!reader.Field(element) || !element || !writer.element->Append(*element, text)) {
            return false;
        }
    }
    return reader.at_end();
}

// range_send: int8 flags, then the bounds that there are, each a field.
BIWA_WRITE_FUNCTION(WriteRange) {
    constexpr std::uint8_t kEmpty = 1, kLowerIncluded = 2, kUpperIncluded = 4, kNoLower = 8,
                           kNoUpper = 16;
    ByteReader reader(bytes);
    std::uint8_t flags = 0;
    if (!reader.Number(flags)) return false;
    if ((flags & kEmpty) != 0) {
        text += "empty";
        return reader.at_end();
    }
    std::string value;
    const auto append_bound = [&](std::uint8_t absent) {
        if ((flags & absent) != 0) return true;
        std::optional<std::string_view> bound;
        value.clear();
        if (!reader.Field(bound) || !bound || !writer.element->Append(*bound, value)) return false;
        AppendPart(value, "\"\\()[],", text);
        return true;
    };
    text += (flags & kLowerIncluded) != 0 ? '[' : '(';
    if (!append_bound(kNoLower)) return false;
    text += ',';
    if (!append_bound(kNoUpper)) return false;
    text += (flags & kUpperIncluded) != 0 ? ']' : ')';
    return reader.at_end();
}

// multirange_send: int32 ranges, each a field.
BIWA_WRITE_FUNCTION(WriteMultirange) {
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0) return false;
    text += '{';
    for (std::int32_t i = 0; i < count; ++i) {
        std::optional<std::string_view> range;
        if (i > 0) text += ',';
        if (!reader.Field(range) || !range || !writer.element->Append(*range, text)) return false;
    }
    text += '}';
    return reader.at_end();
}

namespace {

// The writer of a column of a composite. Which types there are is of the moment: it may have got
// more since the catalogue was read.
const TextWriter* WriterOfField(const TextWriter& composite, Oid type);

}  // namespace

// record_send: int32 columns; for each its type and a field.
BIWA_WRITE_FUNCTION(WriteComposite) {
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0) return false;
    text += '(';
    std::string value;
    for (std::int32_t i = 0; i < count; ++i) {
        Oid type = 0;
        std::optional<std::string_view> field;
        if (!reader.Number(type) || !reader.Field(field)) return false;
        if (i > 0) text += ',';
        if (!field) continue;
        const auto* const part = WriterOfField(writer, type);
        value.clear();
        if (part == nullptr || !part->Append(*field, value)) return false;
        AppendPart(value, "\"\\(),", text);
    }
    text += ')';
    return reader.at_end();
}

// hstore_send: int32 pairs, each a key and a value, both fields, the value perhaps NULL.
BIWA_WRITE_FUNCTION(WriteHstore) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0) return false;
    for (std::int32_t i = 0; i < count; ++i) {
        std::optional<std::string_view> key, value;
        if (!reader.Field(key) || !key || !reader.Field(value)) return false;
        if (i > 0) text += ", ";
        AppendQuoted(*key, false, text);
        text += "=>";
        if (value) {
            AppendQuoted(*value, false, text);
        } else {
            text += "NULL";
        }
    }
    return reader.at_end();
}

// tsvectorsend: int32 lexemes; for each a text, uint16 positions, and each of those as uint16: the
// weight in the upper two bits (0: D, which is not written).
BIWA_WRITE_FUNCTION(WriteTsVector) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0) return false;
    for (std::int32_t i = 0; i < count; ++i) {
        std::string_view lexeme;
        std::uint16_t positions = 0;
        if (!reader.Text(lexeme) || !reader.Number(positions)) return false;
        if (i > 0) text += ' ';
        AppendLexeme(lexeme, text);
        for (int p = 0; p < positions; ++p) {
            std::uint16_t position = 0;
            if (!reader.Number(position)) return false;
            text += p == 0 ? ':' : ',';
            text += fmt::to_string(position & 0x3fff);
            if (const int weight = position >> 14; weight > 0) text += "?CBA"[weight];
        }
    }
    return reader.at_end();
}

namespace {

// A part of a query, written out.
struct QueryPart {
    std::string text;
    int priority = 5;
    bool is_phrase = false;
};

// How closely !, &, | and <-> bind, by their numbers from 1.
constexpr std::array<int, 5> kPriorities = {0, 4, 2, 1, 3};
constexpr std::int8_t kNot = 1, kAnd = 2, kOr = 3, kPhrase = 4;

std::string InParentheses(QueryPart part, bool needed) {
    if (!needed) return std::move(part.text);
    return "( " + part.text + " )";
}

struct QueryItem {
    std::int8_t kind = 0;  // 1: a word, 2: an operator
    std::uint8_t weight = 0;
    std::uint8_t prefix = 0;
    std::string_view word;
    std::int8_t operation = 0;
    std::int16_t distance = 0;

    bool Read(ByteReader& reader) {
        if (!reader.Number(kind)) return false;
        if (kind == 1) {
            return reader.Number(weight) && reader.Number(prefix) && reader.Text(word);
        }
        return kind == 2 && reader.Number(operation) && operation >= kNot && operation <= kPhrase &&
               (operation != kPhrase || reader.Number(distance));
    }
};

QueryPart WordPart(const QueryItem& item) {
    QueryPart part;
    AppendLexeme(item.word, part.text);
    if (item.weight != 0 || item.prefix != 0) part.text += ':';
    if (item.prefix != 0) part.text += '*';
    for (int bit = 3; bit >= 0; --bit) {
        if ((item.weight >> bit & 1) != 0) part.text += "DCBA"[bit];
    }
    return part;
}

}  // namespace

// tsquerysend: int32 items, each int8 kind: 1 a word (uint8 weights, uint8 is-prefix, text), 2 an
// operator (int8; of a phrase int16 distance). An operator stands before its operands, the right
// one first; read from the end, both are there when it comes.
BIWA_WRITE_FUNCTION(WriteTsQuery) {
    (void)writer;
    ByteReader reader(bytes);
    std::int32_t count = 0;
    if (!reader.Number(count) || count < 0 ||
        static_cast<std::size_t>(count) > reader.rest().size()) {
        return false;
    }
    std::vector<QueryItem> items(static_cast<std::size_t>(count));
    for (auto& item : items) {
        if (!item.Read(reader)) return false;
    }
    if (!reader.at_end()) return false;
    std::vector<QueryPart> parts;
    for (auto item = items.rbegin(); item != items.rend(); ++item) {
        if (item->kind == 1) {
            parts.push_back(WordPart(*item));
            continue;
        }
        const std::size_t operands = item->operation == kNot ? 1 : 2;
        if (parts.size() < operands) return false;
        const int priority = kPriorities[static_cast<std::size_t>(item->operation)];
        auto right = std::move(parts.back());
        parts.pop_back();
        const bool right_phrase = item->operation == kPhrase && right.is_phrase;
        const bool right_enclosed = right.priority < priority || right_phrase;
        QueryPart made{"", priority, item->operation == kPhrase};
        if (item->operation == kNot) {
            made.text = "!" + InParentheses(std::move(right), right_enclosed);
        } else {
            auto left = std::move(parts.back());
            parts.pop_back();
            const bool left_enclosed = left.priority < priority;
            made.text = InParentheses(std::move(left), left_enclosed);
            made.text += item->operation == kAnd  ? " & "
                         : item->operation == kOr ? " | "
                         : item->distance == 1    ? " <-> "
                                                  : fmt::format(" <{}> ", item->distance);
            made.text += InParentheses(std::move(right), right_enclosed);
        }
        parts.push_back(std::move(made));
    }
    if (parts.size() != (items.empty() ? 0 : 1)) return false;
    if (!parts.empty()) text += parts.front().text;
    return true;
}

namespace {

struct BuiltIn {
    Oid oid;
    TextWriter::Function write;
};

// pg_type.dat; an OID of a built-in type never changes.
constexpr BuiltIn kBuiltIns[] = {
    {16, WriteBool},
    {17, WriteBytea},
    {18, WriteChar},
    {19, WriteText},  // name
    {20, WriteInt8},
    {21, WriteInt2},
    {23, WriteInt4},
    {25, WriteText},
    {26, WriteUnsigned4},  // oid
    {27, WriteTid},
    {28, WriteUnsigned4},  // xid
    {29, WriteUnsigned4},  // cid
    {114, WriteText},      // json
    {142, WriteText},      // xml
    {600, WritePoint},
    {601, WriteSegment},
    {602, WritePath},
    {603, WriteBox},
    {604, WritePolygon},
    {628, WriteLine},
    {650, WriteInet},  // cidr
    {700, WriteFloat4},
    {701, WriteFloat8},
    {718, WriteCircle},
    {774, WriteMacaddr},  // macaddr8
    {790, WriteMoney},
    {829, WriteMacaddr},
    {869, WriteInet},
    {1042, WriteText},  // char(n)
    {1043, WriteText},  // varchar
    {1082, WriteDate},
    {1083, WriteTime},
    {1114, WriteTimestamp},
    {1184, WriteTimestampTz},
    {1186, WriteInterval},
    {1266, WriteTimeTz},
    {1560, WriteBits},
    {1562, WriteBits},  // varbit
    {1700, WriteNumeric},
    {1790, WriteText},  // refcursor
    {2950, WriteUuid},
    {2970, WriteSnapshot},  // txid_snapshot
    {3220, WriteLsn},
    {3614, WriteTsVector},
    {3615, WriteTsQuery},
    {3802, WriteVersionedText},  // jsonb
    {4072, WriteVersionedText},  // jsonpath
    {5038, WriteSnapshot},       // pg_snapshot
    {5069, WriteUnsigned8},      // xid8
};

const TextWriter* WriterOfField(const TextWriter& composite, Oid type) {
    static const auto built_ins = [] {
        std::map<Oid, TextWriter> made;
        for (const auto& [oid, write] : kBuiltIns) made[oid].write = write;
        return made;
    }();
    if (const auto found = composite.fields.find(type); found != composite.fields.end()) {
        return found->second.get();
    }
    const auto found = built_ins.find(type);
    return found == built_ins.end() ? nullptr : &found->second;
}

// Types of extensions are known by the functions that write them: their OIDs are given anew in each
// database, and their names anybody may use.
struct ByFunctions {
    std::string_view send, output;
    TextWriter::Function write;
};

constexpr ByFunctions kByFunctions[] = {
    {"textsend", "textout", WriteText},  // citext, and what else says so
    {"hstore.hstore_send", "hstore.hstore_out", WriteHstore},
    {"ltree.ltree_send", "ltree.ltree_out", WriteVersionedText},
    {"ltree.lquery_send", "ltree.lquery_out", WriteVersionedText},
    {"ltree.ltxtq_send", "ltree.ltxtq_out", WriteVersionedText},
};

using WriterPointer = std::shared_ptr<const TextWriter>;

WriterPointer Make(TextWriter::Function write) {
    return std::make_shared<const TextWriter>(TextWriter{write});
}

WriterPointer MakeAround(TextWriter::Function write, Oid element, const TypeCatalog& catalog) {
    auto inner = TextWriterFor(element, catalog);
    if (!inner) return nullptr;
    TextWriter writer{write, std::move(inner)};
    if (const auto found = catalog.find(element); found != catalog.end()) {
        writer.delimiter = found->second.delimiter;
    }
    return std::make_shared<const TextWriter>(std::move(writer));
}

WriterPointer MakeComposite(const TypeInfo& info, const TypeCatalog& catalog) {
    TextWriter writer{WriteComposite};
    for (const auto field : info.fields) {
        auto& one = writer.fields[field];
        if (!one) one = TextWriterFor(field, catalog);
        if (!one) return nullptr;
    }
    return std::make_shared<const TextWriter>(std::move(writer));
}

}  // namespace

std::shared_ptr<const TextWriter> TextWriterFor(Oid oid, const TypeCatalog& catalog) {
    constexpr Oid kInt2Vector = 22, kOidVector = 30, kInt2 = 21, kOid = 26;
    if (oid == kInt2Vector) return MakeAround(WriteVector, kInt2, catalog);
    if (oid == kOidVector) return MakeAround(WriteVector, kOid, catalog);
    for (const auto& [built_in, write] : kBuiltIns) {
        if (built_in == oid) return Make(write);
    }
    const auto found = catalog.find(oid);
    if (found == catalog.end()) return nullptr;
    const auto& info = found->second;
    switch (info.kind) {
        case 'd':
            return TextWriterFor(info.base, catalog);
        case 'e':
            return Make(WriteText);
        case 'r':
            return MakeAround(WriteRange, info.element, catalog);
        case 'm':
            return MakeAround(WriteMultirange, info.element, catalog);
        case 'c':
            return info.fields.empty() ? nullptr : MakeComposite(info, catalog);
        default:
            break;
    }
    if (info.element != 0) return MakeAround(WriteArray, info.element, catalog);
    for (const auto& [send, output, write] : kByFunctions) {
        if (info.send == send && info.output == output) return Make(write);
    }
    return nullptr;
}

}  // namespace biwa::postgres
