#include "juku/names.h"

namespace juku {
namespace {

constexpr Name kFamilies[] = {
    {"佐藤", "サトウ", "sato"},
    {"鈴木", "スズキ", "suzuki"},
    {"高橋", "タカハシ", "takahashi"},
    {"田中", "タナカ", "tanaka"},
    {"伊藤", "イトウ", "ito"},
    {"渡辺", "ワタナベ", "watanabe"},
    {"山本", "ヤマモト", "yamamoto"},
    {"中村", "ナカムラ", "nakamura"},
    {"小林", "コバヤシ", "kobayashi"},
    {"加藤", "カトウ", "kato"},
    {"吉田", "ヨシダ", "yoshida"},
    {"山田", "ヤマダ", "yamada"},
    {"佐々木", "ササキ", "sasaki"},
    {"山口", "ヤマグチ", "yamaguchi"},
    {"松本", "マツモト", "matsumoto"},
    {"井上", "イノウエ", "inoue"},
    {"木村", "キムラ", "kimura"},
    {"林", "ハヤシ", "hayashi"},
    {"斎藤", "サイトウ", "saito"},
    {"清水", "シミズ", "shimizu"},
    {"山崎", "ヤマザキ", "yamazaki"},
    {"森", "モリ", "mori"},
    {"池田", "イケダ", "ikeda"},
    {"橋本", "ハシモト", "hashimoto"},
    {"阿部", "アベ", "abe"},
    {"石川", "イシカワ", "ishikawa"},
    {"前田", "マエダ", "maeda"},
    {"藤田", "フジタ", "fujita"},
    {"後藤", "ゴトウ", "goto"},
    {"岡田", "オカダ", "okada"},
    {"長谷川", "ハセガワ", "hasegawa"},
    {"村上", "ムラカミ", "murakami"},
    {"近藤", "コンドウ", "kondo"},
    {"石井", "イシイ", "ishii"},
    {"遠藤", "エンドウ", "endo"},
    {"坂本", "サカモト", "sakamoto"},
    {"青木", "アオキ", "aoki"},
    {"藤井", "フジイ", "fujii"},
    {"西村", "ニシムラ", "nishimura"},
    {"福田", "フクダ", "fukuda"},
    {"太田", "オオタ", "ota"},
    {"三浦", "ミウラ", "miura"},
    {"岡本", "オカモト", "okamoto"},
    {"中川", "ナカガワ", "nakagawa"},
    {"髙田", "タカダ", "takada"},
    {"原田", "ハラダ", "harada"},
    {"小野", "オノ", "ono"},
    {"竹内", "タケウチ", "takeuchi"},
    {"比嘉", "ヒガ", "higa"},
    {"工藤", "クドウ", "kudo"},
};

constexpr Name kChildren[] = {
    {"陽翔", "ハルト", "haruto"}, {"蓮", "レン", "ren"},        {"湊", "ミナト", "minato"},
    {"樹", "イツキ", "itsuki"},   {"悠真", "ユウマ", "yuma"},   {"大和", "ヤマト", "yamato"},
    {"颯太", "ソウタ", "sota"},   {"陸", "リク", "riku"},       {"朝陽", "アサヒ", "asahi"},
    {"蒼", "アオイ", "aoi"},      {"健太", "ケンタ", "kenta"},  {"海斗", "カイト", "kaito"},
    {"拓海", "タクミ", "takumi"}, {"翼", "ツバサ", "tsubasa"},  {"奏多", "カナタ", "kanata"},
    {"陽葵", "ヒマリ", "himari"}, {"凛", "リン", "rin"},        {"紬", "ツムギ", "tsumugi"},
    {"結菜", "ユイナ", "yuina"},  {"美咲", "ミサキ", "misaki"}, {"さくら", "サクラ", "sakura"},
    {"莉子", "リコ", "riko"},     {"芽依", "メイ", "mei"},      {"心春", "コハル", "koharu"},
    {"杏", "アン", "an"},         {"花音", "カノン", "kanon"},  {"ひなた", "ヒナタ", "hinata"},
    {"彩葉", "イロハ", "iroha"},  {"楓", "カエデ", "kaede"},    {"千尋", "チヒロ", "chihiro"},
};

constexpr Name kMothers[] = {
    {"恵子", "ケイコ", "keiko"},    {"由美", "ユミ", "yumi"},    {"久美子", "クミコ", "kumiko"},
    {"真由美", "マユミ", "mayumi"}, {"裕子", "ユウコ", "yuko"},  {"智子", "トモコ", "tomoko"},
    {"香織", "カオリ", "kaori"},    {"直美", "ナオミ", "naomi"}, {"麻衣", "マイ", "mai"},
    {"愛", "アイ", "ai"},           {"恵", "メグミ", "megumi"},  {"亜希子", "アキコ", "akiko"},
};

constexpr Name kFathers[] = {
    {"誠", "マコト", "makoto"},    {"健一", "ケンイチ", "kenichi"}, {"浩", "ヒロシ", "hiroshi"},
    {"剛", "ツヨシ", "tsuyoshi"},  {"大輔", "ダイスケ", "daisuke"}, {"学", "マナブ", "manabu"},
    {"直樹", "ナオキ", "naoki"},   {"哲也", "テツヤ", "tetsuya"},   {"亮", "リョウ", "ryo"},
    {"達也", "タツヤ", "tatsuya"}, {"修", "オサム", "osamu"},       {"隆", "タカシ", "takashi"},
};

constexpr std::string_view kNicknames[] = {
    "ペンギン", "こたつ", "ラムネ",   "たぬき", "ロケット", "おにぎり", "みかん",   "はやぶさ",
    "クラゲ",   "しおり", "えんぴつ", "カモメ", "どんぐり", "ソーダ",   "ねこまる", "オリオン",
    "わたあめ", "すだち", "コロッケ", "ほたる", "ミント",   "きなこ",   "カピバラ", "つばめ",
};

constexpr std::string_view kPrefectures[] = {
    "滋賀県", "京都府", "大阪府", "兵庫県", "奈良県", "愛知県", "東京都", "神奈川県",
    "埼玉県", "千葉県", "福岡県", "北海道", "宮城県", "広島県", "石川県", "沖縄県",
};

}  // namespace

const Name& FamilyName(Random& random) { return random.Of(kFamilies); }
const Name& ChildName(Random& random) { return random.Of(kChildren); }
const Name& MotherName(Random& random) { return random.Of(kMothers); }
const Name& FatherName(Random& random) { return random.Of(kFathers); }
std::string_view Nickname(Random& random) { return random.Of(kNicknames); }
std::string_view Prefecture(Random& random) { return random.Of(kPrefectures); }

}  // namespace juku
