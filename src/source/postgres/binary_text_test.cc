#include "source/postgres/binary_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "source/postgres/wire_testing.h"

namespace biwa::postgres {
namespace {

constexpr Oid kInt4Range = 3904, kInt4Multirange = 4451, kTextArray = 1009, kBoxArray = 1020,
              kPair = 16'400, kPairArray = 16'401, kPairDomain = 16'402, kHstore = 16'403,
              kCitext = 16'404, kOddPair = 16'405, kMood = 16'406, kImpostor = 16'407;

TypeCatalog Types() {
    TypeCatalog types;
    types[603] = {603, "box", 'b', 0, -1, 0, 0, ';'};
    types[kBoxArray] = {kBoxArray, "_box", 'b', 0, -1, 603, 0, ';'};
    types[kTextArray] = {kTextArray, "_text", 'b', 0, -1, 25};
    types[kInt4Range] = {kInt4Range, "int4range", 'r', 0, -1, 23};
    types[kInt4Multirange] = {kInt4Multirange, "int4multirange", 'm', 0, -1, kInt4Range};
    types[kPair] = {kPair, "pair", 'c'};
    types[kPair].fields = {23, 25};
    types[kPairArray] = {kPairArray, "_pair", 'b', 0, -1, kPair};
    types[kPairDomain] = {kPairDomain, "pair_domain", 'd', kPair};
    types[kOddPair] = {kOddPair, "odd_pair", 'c'};
    types[kOddPair].fields = {23, 16'999};
    types[kMood] = {kMood, "mood", 'e'};
    types[kHstore] = {kHstore, "hstore", 'b'};
    types[kHstore].send = "hstore.hstore_send";
    types[kHstore].output = "hstore.hstore_out";
    types[kCitext] = {kCitext, "citext", 'b'};
    types[kCitext].send = "textsend";
    types[kCitext].output = "textout";
    types[kImpostor] = {kImpostor, "hstore", 'b'};
    types[kImpostor].send = "mine.hstore_send";
    types[kImpostor].output = "mine.hstore_out";
    return types;
}

std::string FromHex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
    }
    return bytes;
}

struct Value {
    Oid oid;
    std::string hex;  // what PostgreSQL 15's send function wrote
    std::string text;
};

const Value kValues[] = {
    {600, "3ff80000000000008000000000000000", "(1.5,-0)"},
    // 5e22 lies half way between two numbers, so it stands for neither.
    {600, "44e7d2a320dd745544a52d02c7e14af6", "(9e+23,4.9999999999999996e+22)"},
    {601, "000000000000000000000000000000003ff00000000000007e37e43c8800759c", "[(0,0),(1,1e+300)]"},
    {603, "4000000000000000400000000000000000000000000000000000000000000000", "(2,2),(0,0)"},
    {628, "3ff0000000000000bff00000000000003fb999999999999a", "{1,-1,0.1}"},
    {602, "0000000002000000000000000000000000000000003ff00000000000004000000000000000",
     "[(0,0),(1,2)]"},
    {602, "0100000002000000000000000000000000000000003ff00000000000004000000000000000",
     "((0,0),(1,2))"},
    {604,
     "00000003000000000000000000000000000000003ff00000000000004000000000000000400800000000000040100"
     "00000000000",
     "((0,0),(1,2),(3,4))"},
    {718, "3ff000000000000040000000000000004008000000000000", "<(1,2),3>"},
    {869, "022000040a010203", "10.1.2.3"},
    {869, "020800040a010203", "10.1.2.3/8"},
    {650, "020801040a000000", "10.0.0.0/8"},
    {650, "022001040a010203", "10.1.2.3/32"},
    {869, "0380001000000000000000000000000000000000", "::"},
    {869, "0380001000000000000000000000000000000001", "::1"},
    {869, "0380001000000000000000000000ffff01020304", "::ffff:1.2.3.4"},
    {869, "0340001020010db8000000000001000000000001", "2001:db8::1:0:0:1/64"},
    {829, "08002b010203", "08:00:2b:01:02:03"},
    {774, "08002b0102030405", "08:00:2b:01:02:03:04:05"},
    {1560, "00000003a0", "101"},
    {1562, "00000000", ""},
    {1562, "0000000aaac0", "1010101011"},
    {1266, "0000000a8be4ca6000003147", "12:34:56.7-03:30:15"},
    {1266, "000000141dd76000ffff8170", "24:00:00+09"},
    {3220, "00000016b374d848", "16/B374D848"},
    {27, "000000070003", "(7,3)"},
    {5069, "ffffffffffffffff", "18446744073709551615"},
    {5038, "00000002000000000000000a0000000000000014000000000000000a000000000000000e",
     "10:20:10,14"},
    {4072, "01242e226122", "$.\"a\""},
    {3614, "00000003612762000002c0010002635c6400000065000003800340040005",
     "'a''b':1A,2 'c\\\\d' 'e':3B,4C,5"},
    {3615,
     "0000000c020202040001020400010100006700010000660002040002010000650002030100006327"
     "640001000062000201010c016100",
     "!'a':*AB & ( 'b' | 'c''d' ) <2> 'e' <-> ( 'f' <-> 'g' )"},
    {3615, "00000000", ""},
    {kInt4Range, "0200000004000000010000000400000005", "[1,5)"},
    {kInt4Range, "01", "empty"},
    {kInt4Range, "18", "(,)"},
    {kInt4Multirange,
     "0000000200000011020000000400000001000000040000000200000009120000000400000005",
     "{[1,2),[5,)}"},
    {22, "0000000100000000000000150000000300000000000000020001000000020002000000020003", "1 2 3"},
    {142, "3c612f3e", "<a/>"},
};

TEST(BinaryTextTest, AValueIsWrittenAsItsOutputFunctionWritesIt) {
    const auto types = Types();
    for (const auto& [oid, hex, expected] : kValues) {
        const auto writer = TextWriterFor(oid, types);
        ASSERT_TRUE(writer) << oid;
        std::string text;
        EXPECT_TRUE(writer->Append(FromHex(hex), text)) << oid << " " << expected;
        EXPECT_EQ(text, expected);
    }
}

TEST(BinaryTextTest, AValueThatIsCutOffOrTooLongIsRefused) {
    const auto types = Types();
    for (const auto& [oid, hex, expected] : kValues) {
        if (oid == 142 || oid == 4072) continue;  // any text will do
        const auto writer = TextWriterFor(oid, types);
        const auto whole = FromHex(hex);
        std::string text;
        for (std::size_t size = 0; size < whole.size(); ++size) {
            const bool other_address = oid == 774 && size == 6;
            EXPECT_EQ(writer->Append(whole.substr(0, size), text), other_address)
                << oid << " " << expected << " " << size;
        }
        EXPECT_FALSE(writer->Append(whole + '\0', text)) << oid << " " << expected;
    }
}

std::string Record(const std::vector<std::pair<Oid, std::optional<std::string>>>& fields) {
    auto bytes = Int32(static_cast<std::int64_t>(fields.size()));
    for (const auto& [type, value] : fields) bytes += Int32(type) + Field(value);
    return bytes;
}

std::optional<std::string> TextOf(Oid oid, const std::string& bytes) {
    const auto types = Types();
    const auto writer = TextWriterFor(oid, types);
    std::string text;
    if (!writer || !writer->Append(bytes, text)) return std::nullopt;
    return text;
}

TEST(BinaryTextTest, APartIsQuotedWhereTheWholeCouldNotBeReadElse) {
    const auto pair = [](std::optional<std::string> b) {
        return Record({{23, Int32(1)}, {25, b}});
    };
    EXPECT_EQ(TextOf(kPair, pair("plain{}[]")), "(1,plain{}[])");
    EXPECT_EQ(TextOf(kPair, pair(std::nullopt)), "(1,)");
    EXPECT_EQ(TextOf(kPair, pair("")), "(1,\"\")");
    EXPECT_EQ(TextOf(kPairDomain, pair("a \"b\" \\")), "(1,\"a \"\"b\"\" \\\\\")");
    EXPECT_EQ(TextOf(kPairArray, Array1(kPair, {pair("x"), std::nullopt, pair("a\"")})),
              "{\"(1,x)\",NULL,\"(1,\\\"a\\\"\\\"\\\")\"}");
    EXPECT_EQ(TextOf(kTextArray, Array1(25, {"null", "", "a,b", "日本"}, 0)),
              "[0:3]={\"null\",\"\",\"a,b\",日本}");
    EXPECT_EQ(TextOf(kTextArray, Array2(25, {"a", std::nullopt, "c", "d"}, 2)), "{{a,NULL},{c,d}}");
    EXPECT_EQ(
        TextOf(kHstore, Int32(2) + Field("k\"") + Field("v") + Field("") + Field(std::nullopt)),
        "\"k\\\"\"=>\"v\", \"\"=>NULL");
    EXPECT_EQ(TextOf(kCitext, "Ab"), "Ab");
}

TEST(BinaryTextTest, TheElementsOfAnArrayMayStandBetweenOtherMarksThanCommas) {
    const std::string box(32, '\0');
    EXPECT_EQ(TextOf(kBoxArray, Array1(603, {box, box})), "{(0,0),(0,0);(0,0),(0,0)}");
}

TEST(BinaryTextTest, ACompositeMayHaveGotAColumnOfABuiltInType) {
    EXPECT_EQ(TextOf(kPair, Record({{23, Int32(1)}, {25, "x"}, {1082, Int32(0)}})),
              "(1,x,2000-01-01)");
    EXPECT_EQ(TextOf(kPair, Record({{23, Int32(1)}, {16'999, "x"}})), std::nullopt);
}

TEST(BinaryTextTest, ATypeIsKnownByItsFunctionsAndOnlyWithAllThatItIsMadeOf) {
    const auto types = Types();
    EXPECT_TRUE(TextWriterFor(kMood, types));
    EXPECT_FALSE(TextWriterFor(kOddPair, types));
    EXPECT_FALSE(TextWriterFor(kImpostor, types));
    EXPECT_FALSE(TextWriterFor(2205, types));  // regclass: its text is a name, its binary form not
    EXPECT_FALSE(TextWriterFor(16'998, types));
}

TEST(BinaryTextTest, CountsThatPostgresCannotHaveSentAreRefused) {
    for (const Oid oid : {kPair, kHstore, kInt4Multirange, Oid{3614}, Oid{3615}}) {
        EXPECT_EQ(TextOf(oid, Int32(-1)), std::nullopt) << oid;
    }
    EXPECT_EQ(TextOf(kTextArray, Int32(2) + Int32(0) + Int32(25) + Int32(0x7fffffff) + Int32(1) +
                                     Int32(0x7fffffff) + Int32(1)),
              std::nullopt);
    EXPECT_EQ(TextOf(3615, Int32(0x7fffffff)), std::nullopt);
    EXPECT_EQ(TextOf(3615, Int32(1) + "\2\2"), std::nullopt);           // & without operands
    EXPECT_EQ(TextOf(3615, Int32(1) + "\2\7"), std::nullopt);           // no such operator
    EXPECT_EQ(TextOf(869, FromHex("022100040a010203")), std::nullopt);  // 33 bits
    EXPECT_EQ(TextOf(869, FromHex("092000040a010203")), std::nullopt);  // no such family
    EXPECT_EQ(TextOf(1266, Int64(86'400'000'001) + Int32(0)), std::nullopt);
}

}  // namespace
}  // namespace biwa::postgres
