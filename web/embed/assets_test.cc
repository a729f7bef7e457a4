#include "web/embed/assets.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <regex>
#include <string>

namespace biwa {
namespace {

const WebAsset* Find(std::string_view path) {
    const auto assets = WebAssets();
    const auto found = std::lower_bound(assets.begin(), assets.end(), path,
                                        [](const WebAsset& a, auto p) { return a.path < p; });
    return found != assets.end() && found->path == path ? &*found : nullptr;
}

#ifdef BIWA_WEB_EMBEDDED

TEST(WebAssetsTest, HasThePageAndEveryFileThatThePageNames) {
    const WebAsset* index = Find("/index.html");
    ASSERT_NE(index, nullptr);
    EXPECT_EQ(index->content_type, "text/html; charset=utf-8");
    EXPECT_FALSE(index->immutable);
    ASSERT_TRUE(index->content.starts_with("<!doctype html>"));

    const std::string html(index->content);
    const std::regex reference(R"re((?:src|href)="([^"]+)")re");
    int references = 0;
    for (std::sregex_iterator it(html.begin(), html.end(), reference), end; it != end; ++it) {
        const std::string path = (*it)[1].str();
        ++references;
        EXPECT_NE(Find(path), nullptr) << "the page asks for " << path;
    }
    EXPECT_GE(references, 3) << "a script, a style sheet and an icon";
}

TEST(WebAssetsTest, IsSortedByPathAndFindsNothingElse) {
    const auto assets = WebAssets();
    EXPECT_TRUE(std::is_sorted(assets.begin(), assets.end(),
                               [](const auto& a, const auto& b) { return a.path < b.path; }));
    for (auto bad : {"", "/", "index.html", "/index.htm", "/assets", "/../index.html"})
        EXPECT_EQ(Find(bad), nullptr) << bad;
}

TEST(WebAssetsTest, CompressesWhatGetsSmallerAndCachesWhatCarriesItsHash) {
    for (const WebAsset& asset : WebAssets()) {
        SCOPED_TRACE(asset.path);
        EXPECT_FALSE(asset.content.empty());
        EXPECT_FALSE(asset.content_type.empty());
        EXPECT_TRUE(asset.etag.size() > 2 && asset.etag.front() == '"' && asset.etag.back() == '"');
        EXPECT_EQ(asset.immutable, asset.path.starts_with("/assets/"));
        if (asset.gzip.empty()) continue;
        EXPECT_TRUE(asset.gzip.starts_with("\x1f\x8b"));
        EXPECT_LT(asset.gzip.size(), asset.content.size());
    }
}

#else

TEST(WebAssetsTest, IsEmptyWithoutThePage) {
    EXPECT_TRUE(WebAssets().empty());
    EXPECT_EQ(Find("/index.html"), nullptr);
}

#endif

}  // namespace
}  // namespace biwa
