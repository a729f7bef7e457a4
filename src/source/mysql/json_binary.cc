#include "source/mysql/json_binary.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "source/mysql/byte_reader.h"
#include "source/mysql/columns.h"
#include "source/mysql/values.h"

namespace biwa::mysql {

namespace {

// The server's own limit is 100.
constexpr int kDepthMax = 128;

enum JsonType : std::uint8_t {
    kSmallObject = 0,
    kLargeObject = 1,
    kSmallArray = 2,
    kLargeArray = 3,
    kLiteral = 4,
    kInt16 = 5,
    kUInt16 = 6,
    kInt32 = 7,
    kUInt32 = 8,
    kInt64 = 9,
    kUInt64 = 10,
    kDouble = 11,
    kString = 12,
    kOpaque = 15,
};

std::string Base64(std::string_view bytes) {
    constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        const auto part = bytes.substr(at, 3);
        const auto bits = LoadBigEndian(part.data(), part.size()) << 8 * (3 - part.size());
        for (std::size_t i = 0; i < 4; ++i) {
            text += i <= part.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
        }
    }
    return text;
}

class JsonWriter {
  public:
    explicit JsonWriter(std::size_t values_max) : values_left_(values_max) {}

    bool Value(std::uint8_t type, std::string_view bytes, int depth) {
        // Places may point anywhere: what is written must not grow beyond what is there.
        if (depth > kDepthMax || values_left_-- == 0) return false;
        switch (type) {
            case kSmallObject:
            case kLargeObject:
            case kSmallArray:
            case kLargeArray:
                return Container(type <= kLargeObject, type % 2 == 1, bytes, depth);
            case kLiteral: {
                if (bytes.empty() || bytes[0] < 0 || bytes[0] > 2) return false;
                constexpr const char* kLiterals[] = {"null", "true", "false"};
                text_ += kLiterals[static_cast<std::size_t>(bytes[0])];
                return true;
            }
            case kInt16:
                return Number<std::int16_t>(bytes);
            case kUInt16:
                return Number<std::uint16_t>(bytes);
            case kInt32:
                return Number<std::int32_t>(bytes);
            case kUInt32:
                return Number<std::uint32_t>(bytes);
            case kInt64:
                return Number<std::int64_t>(bytes);
            case kUInt64:
                return Number<std::uint64_t>(bytes);
            case kDouble:
                return Double(bytes);
            case kString: {
                std::string_view text;
                if (!TakeSized(bytes, text)) return false;
                return Text(text);
            }
            case kOpaque:
                return Opaque(bytes);
            default:
                return false;
        }
    }
    std::string Take() { return std::move(text_); }

  private:
    bool Container(bool is_object, bool is_large, std::string_view bytes, int depth) {
        const std::size_t width = is_large ? 4 : 2;
        ByteReader head(bytes);
        const auto count = head.Number(width);
        const auto size = head.Number(width);
        if (!head.ok() || size > bytes.size()) return false;
        bytes = bytes.substr(0, size);
        ByteReader keys(bytes.substr(std::min<std::size_t>(2 * width, bytes.size())));
        const auto key_bytes = is_object ? count * (width + 2) : 0;
        ByteReader values(bytes.substr(std::min<std::size_t>(2 * width + key_bytes, bytes.size())));
        text_ += is_object ? '{' : '[';
        for (std::uint64_t i = 0; i < count; ++i) {
            if (i > 0) text_ += ", ";
            if (is_object) {
                const auto at = keys.Number(width);
                const auto length = keys.Number<std::uint16_t>();
                if (!keys.ok() || at > bytes.size() || length > bytes.size() - at) return false;
                if (!Text(bytes.substr(at, length))) return false;
                text_ += ": ";
            }
            const auto type = values.Number<std::uint8_t>();
            const auto entry = values.Bytes(width);
            if (!values.ok()) return false;
            const bool is_here = type == kLiteral || type == kInt16 || type == kUInt16 ||
                                 (is_large && (type == kInt32 || type == kUInt32));
            const auto at = LoadLittleEndian(entry.data(), width);
            if (!is_here && at > bytes.size()) return false;
            if (!Value(type, is_here ? entry : bytes.substr(at), depth + 1)) return false;
        }
        text_ += is_object ? '}' : ']';
        return true;
    }

    template <typename T>
    bool Number(std::string_view bytes) {
        if (bytes.size() < sizeof(T)) return false;
        fmt::format_to(std::back_inserter(text_), "{}",
                       static_cast<T>(LoadLittleEndian(bytes.data(), sizeof(T))));
        return true;
    }

    bool Double(std::string_view bytes) {
        if (bytes.size() < 8) return false;
        const auto value = std::bit_cast<double>(LoadLittleEndian(bytes.data(), 8));
        if (!std::isfinite(value)) return false;
        const auto digits = fmt::format("{}", value);
        text_ += digits;
        // A number that was written as 1.0 is not the integer 1.
        if (digits.find_first_of(".e") == std::string::npos) text_ += ".0";
        return true;
    }

    bool Text(std::string_view text) {
        if (!IsUtf8(text)) return false;
        text_ += '"';
        for (const char c : text) {
            switch (c) {
                case '"':
                case '\\':
                    text_ += '\\';
                    text_ += c;
                    break;
                case '\b':
                    text_ += "\\b";
                    break;
                case '\f':
                    text_ += "\\f";
                    break;
                case '\n':
                    text_ += "\\n";
                    break;
                case '\r':
                    text_ += "\\r";
                    break;
                case '\t':
                    text_ += "\\t";
                    break;
                default:
                    if (static_cast<unsigned char>(c) < 0x20) {
                        text_ += fmt::format("\\u{:04x}", static_cast<int>(c));
                    } else {
                        text_ += c;
                    }
            }
        }
        text_ += '"';
        return true;
    }

    // What stands behind a length in groups of seven bits.
    static bool TakeSized(std::string_view bytes, std::string_view& content) {
        std::uint64_t length = 0;
        for (int group = 0; group < 5; ++group) {
            if (bytes.empty()) return false;
            const auto byte = static_cast<unsigned char>(bytes[0]);
            bytes.remove_prefix(1);
            length |= std::uint64_t{byte & 0x7fU} << (7 * group);
            if ((byte & 0x80) != 0) continue;
            if (length > bytes.size()) return false;
            content = bytes.substr(0, length);
            return true;
        }
        return false;
    }

    bool Opaque(std::string_view bytes) {
        if (bytes.empty()) return false;
        const auto type = static_cast<FieldType>(bytes[0]);
        std::string_view content;
        if (!TakeSized(bytes.substr(1), content)) return false;
        switch (type) {
            case FieldType::kDecimal:
                return OpaqueDecimal(content);
            case FieldType::kDate:
            case FieldType::kTime:
            case FieldType::kDateTime:
            case FieldType::kTimestamp:
                return OpaqueTime(type, content);
            default:
                text_ +=
                    fmt::format("\"base64:type{}:{}\"", static_cast<int>(type), Base64(content));
                return true;
        }
    }

    // Precision, scale, then as in a row.
    bool OpaqueDecimal(std::string_view bytes) {
        if (bytes.size() < 2) return false;
        ColumnInfo info;
        info.type = FieldType::kDecimal;
        info.meta = static_cast<std::uint16_t>(static_cast<unsigned char>(bytes[0]) << 8 |
                                               static_cast<unsigned char>(bytes[1]));
        const auto decoder = DecoderFor(info);
        if (decoder.binlog == nullptr) return false;
        RowStore store({{"d", {TypeId::kText}, true, "", {}}});
        DecodeContext context;
        context.arena = &store.arena();
        const auto row = store.AddRow();
        if (!BinlogDecimalText(decoder, bytes.substr(2), store.cells(0), row, context)) {
            return false;
        }
        text_ += store.cells(0).GetString(row);
        return true;
    }

    // One number: the date and time as in a DATETIME, then 24 bits of microseconds.
    bool OpaqueTime(FieldType type, std::string_view bytes) {
        if (bytes.size() < 8) return false;
        auto packed = static_cast<std::int64_t>(LoadLittleEndian(bytes.data(), 8));
        if (packed == std::numeric_limits<std::int64_t>::min()) return false;
        const bool is_negative = packed < 0;
        if (is_negative) packed = -packed;
        const auto micros = packed & 0xffffff;
        const auto whole = packed >> 24;
        const auto date = whole >> 17;
        const auto hours = type == FieldType::kTime ? whole >> 12 & 0x3ff : whole >> 12 & 31;
        const auto day =
            fmt::format("{:04}-{:02}-{:02}", (date >> 5) / 13, (date >> 5) % 13, date & 31);
        const auto time =
            fmt::format("{:02}:{:02}:{:02}.{:06}", hours, whole >> 6 & 63, whole & 63, micros);
        text_ += type == FieldType::kDate   ? fmt::format("\"{}\"", day)
                 : type == FieldType::kTime ? fmt::format("\"{}{}\"", is_negative ? "-" : "", time)
                                            : fmt::format("\"{} {}\"", day, time);
        return true;
    }

    std::string text_;
    std::size_t values_left_;
};

}  // namespace

std::optional<std::string> JsonText(std::string_view document) {
    // An empty value stands for JSON's null, where a row from before the column was added has it.
    if (document.empty()) return "null";
    JsonWriter writer(document.size());
    if (!writer.Value(static_cast<std::uint8_t>(document[0]), document.substr(1), 0)) {
        return std::nullopt;
    }
    return writer.Take();
}

}  // namespace biwa::mysql
