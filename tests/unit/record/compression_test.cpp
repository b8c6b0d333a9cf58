#include "libkq/record/compression.hpp"

#include <lz4frame.h>
#include <zlib.h>
#include <zstd.h>

#include "libkq/base/random.hpp"
#include "libkq/record/crc32c.hpp"
#include "tests/unit/record/vectors.hpp"

#include "tests/unit/cmocka.hpp"

using namespace kq;
namespace json = boost::json;

constexpr Codec all_codecs[] = {Codec::none, Codec::gzip, Codec::snappy, Codec::lz4, Codec::zstd};

static Block whole(Codec codec, Bytes compressed) {
  Decompressor decompressor;
  Block plain;
  const Status done = decompressor.decompress(codec, compressed, plain);
  if (!done) print_error("%s\n", done.error().message().c_str());
  assert_true(done.ok());
  return plain;
}

static int32_t refusal(Codec codec, Bytes compressed) {
  Decompressor decompressor;
  Block plain;
  const Status done = decompressor.decompress(codec, compressed, plain);
  assert_false(done.ok());
  return done.error().code();
}

static Block packed(Codec codec, Bytes plain) {
  Compressor compressor;
  Block compressed;
  assert_true(compressor.compress(codec, codec_levels(codec).standard, plain, compressed).ok());
  return compressed;
}

/* Text-like, noise, and zeros, of sizes around every block border. */
static test::Memory sample(size_t size, int kind) {
  Random random(size + static_cast<size_t>(kind));
  test::Memory bytes(size);
  for (size_t i = 0; i < size; ++i)
    bytes[i] = static_cast<std::byte>(kind == 0 ? "the quick brown fox "[i % 20] + (i % 97 == 0) : kind == 1 ? random.next() : 0);
  return bytes;
}

static void what_java_compressed_is_read(void**) {
  for (const json::object& line : test::vectors("codecs.jsonl")) {
    const Codec codec = *codec_named(line.at("codec").as_string());
    const Block plain = whole(codec, test::from_hex(line.at("compressed").as_string()));
    const json::value& wanted = line.at("plain");
    if (wanted.is_string()) {
      assert_string_equal(test::to_hex(plain.bytes()).c_str(), wanted.as_string().c_str());
    } else {
      assert_int_equal(plain.size(), wanted.at("len").as_int64());
      assert_int_equal(crc32c(plain.bytes()), wanted.at("crc32c").as_int64());
    }
  }
}

static void every_codec_gives_back_what_it_took(void**) {
  Compressor compressor;
  Decompressor decompressor;
  for (const Codec codec : all_codecs)
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{32767}, size_t{32768}, size_t{32769}, size_t{65536}, size_t{65537}, size_t{400'000}})
      for (int kind = 0; kind < 3; ++kind) {
        const test::Memory plain = sample(size, kind);
        Block compressed, again;
        assert_true(compressor.compress(codec, codec_levels(codec).standard, plain, compressed).ok());
        assert_true(decompressor.decompress(codec, compressed.bytes(), again).ok());
        assert_true(std::ranges::equal(again.bytes(), plain));

        test::Memory pieces;
        assert_true(decompressor.begin(codec, compressed.bytes()).ok());
        for (;;) {
          Result<Bytes> piece = decompressor.next();
          assert_true(piece.ok() && piece->size() <= Decompressor::piece_bytes_max);
          if (piece->empty()) break;
          pieces.insert(pieces.end(), piece->begin(), piece->end());
        }
        assert_true(pieces == plain);
      }
}

static void every_level_of_kafkas_range_is_taken_and_no_other(void**) {
  Compressor compressor;
  const test::Memory plain = sample(20'000, 0);
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd}) {
    const CodecLevels levels = codec_levels(codec);
    for (int level = std::max(levels.least, -3); level <= levels.most; ++level) {
      if (!levels.has(level)) continue;
      Block compressed;
      assert_true(compressor.compress(codec, level, plain, compressed).ok());
      assert_true(std::ranges::equal(whole(codec, compressed.bytes()).bytes(), plain));
    }
    Block unused;
    assert_false(compressor.compress(codec, levels.least - 5, plain, unused).ok());
    assert_false(compressor.compress(codec, levels.most + 1, plain, unused).ok());
  }
}

static void lz4_and_snappy_are_framed_as_java_frames_them(void**) {
  const Block lz4 = packed(Codec::lz4, as_bytes("hello hello hello hello hello"));
  assert_string_equal(test::to_hex(lz4.bytes().first(7)).c_str(), "04224d18604082");
  const Block empty = packed(Codec::snappy, {});
  assert_string_equal(test::to_hex(empty.bytes()).c_str(), "82534e41505059000000000100000001");
  const test::Memory noise = sample(1000, 1);
  const Block raw = packed(Codec::lz4, noise);
  assert_int_equal(raw.size(), 7 + 4 + noise.size() + 4);  // would not shrink: stored
}

static void snappy_without_its_framing_is_one_raw_block(void**) {
  const test::Memory raw = test::from_hex("0b2868656c6c6f20776f726c64");  // literal of eleven bytes
  assert_true(as_text(whole(Codec::snappy, raw).bytes()) == "hello world");
  assert_int_equal(refusal(Codec::snappy, as_bytes("")), own_code::data);
}

static void snappy_that_claims_more_than_it_can_hold_is_refused_unallocated(void**) {
  assert_int_equal(refusal(Codec::snappy, test::from_hex("ffffffff0f00")), own_code::data);
}

static test::Memory lz4_frame(const LZ4F_preferences_t& preferences, Bytes plain) {
  test::Memory frame(LZ4F_compressFrameBound(plain.size(), &preferences));
  frame.resize(LZ4F_compressFrame(frame.data(), frame.size(), plain.data(), plain.size(), &preferences));
  return frame;
}

static void other_lz4_frames_are_read_or_refused_as_java_does(void**) {
  const test::Memory plain = sample(300'000, 0);
  LZ4F_preferences_t preferences{};
  preferences.frameInfo.blockMode = LZ4F_blockIndependent;
  for (const LZ4F_blockSizeID_t size : {LZ4F_max64KB, LZ4F_max256KB, LZ4F_max1MB, LZ4F_max4MB}) {
    preferences.frameInfo.blockSizeID = size;
    preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled;
    preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled;
    preferences.frameInfo.contentSize = plain.size();
    assert_true(std::ranges::equal(whole(Codec::lz4, lz4_frame(preferences, plain)).bytes(), plain));
  }
  test::Memory frame = lz4_frame(preferences, plain);
  test::Memory wrong_block = frame;
  wrong_block[frame.size() / 2] ^= std::byte{0x55};
  assert_int_equal(refusal(Codec::lz4, wrong_block), own_code::data);
  test::Memory wrong_header = frame;
  wrong_header[7] ^= std::byte{1};  // content size, under the header's check sum
  assert_int_equal(refusal(Codec::lz4, wrong_header), own_code::data);
  test::Memory followed = frame;
  followed.insert(followed.end(), frame.begin(), frame.end());  // a second frame is not read
  assert_int_equal(whole(Codec::lz4, followed).size(), plain.size());

  preferences.frameInfo.blockMode = LZ4F_blockLinked;
  preferences.frameInfo.blockSizeID = LZ4F_max64KB;  // one block alone would not be linked
  assert_int_equal(refusal(Codec::lz4, lz4_frame(preferences, plain)), own_code::data);
  assert_int_equal(refusal(Codec::lz4, test::from_hex("502a4d1804000000deadbeef")), own_code::data);  // skippable
  const Block ours = packed(Codec::lz4, plain);
  assert_int_equal(refusal(Codec::lz4, ours.bytes().first(ours.size() - 4)), own_code::data);  // no end mark
}

static void gzip_members_follow_each_other_and_the_rest_is_ignored(void**) {
  test::Memory two;
  for (const char* text : {"one ", "two"}) {
    const Block member = packed(Codec::gzip, as_bytes(text));
    two.insert(two.end(), member.bytes().begin(), member.bytes().end());
  }
  assert_true(as_text(whole(Codec::gzip, two).bytes()) == "one two");
  for (int i = 0; i < 40; ++i) two.push_back(std::byte{0});
  assert_true(as_text(whole(Codec::gzip, two).bytes()) == "one two");
  const Block one = packed(Codec::gzip, sample(5000, 0));
  test::Memory wrong(one.bytes().begin(), one.bytes().end());
  wrong[wrong.size() - 6] ^= std::byte{1};  // its crc
  assert_int_equal(refusal(Codec::gzip, wrong), own_code::data);
}

static void zstd_frames_follow_each_other_and_garbage_is_refused(void**) {
  test::Memory two;
  for (const char* text : {"one ", "two"}) {
    const Block frame = packed(Codec::zstd, as_bytes(text));
    two.insert(two.end(), frame.bytes().begin(), frame.bytes().end());
  }
  assert_true(as_text(whole(Codec::zstd, two).bytes()) == "one two");
  two.push_back(std::byte{1});
  assert_int_equal(refusal(Codec::zstd, two), own_code::data);
}

static void anything_cut_short_is_refused(void**) {
  const test::Memory plain = sample(100'000, 0);
  for (const Codec codec : {Codec::gzip, Codec::lz4, Codec::zstd}) {
    const Block compressed = packed(codec, plain);
    for (size_t kept = 0; kept < compressed.size(); kept += 1 + compressed.size() / 50)
      if (kept > 0 || codec != Codec::zstd) assert_int_equal(refusal(codec, compressed.bytes().first(kept)), own_code::data);
  }
}

/* 64 MiB of zeros in a few kilobytes, against a limit of one. */
static void a_bomb_is_refused_at_the_limit(void**) {
  const test::Memory zeros(size_t{64} << 20);
  constexpr size_t decompressed_bytes_max = size_t{1} << 20;
  Decompressor decompressor;
  for (const Codec codec : all_codecs) {
    const Block bomb = packed(codec, zeros);
    Block plain;
    const Status done = decompressor.decompress(codec, bomb.bytes(), plain, decompressed_bytes_max);
    assert_false(done.ok());
    assert_int_equal(done.error().code(), record_code::message_too_large);
    assert_non_null(strstr(done.error().message().c_str(), "decompressed_bytes_max"));
    if (codec != Codec::none) assert_true(plain.capacity() <= bomb.size() * 8 + 4 * decompressed_bytes_max);

    assert_true(decompressor.begin(codec, bomb.bytes(), decompressed_bytes_max).ok());
    size_t given = 0;
    for (;;) {
      Result<Bytes> piece = decompressor.next();
      if (!piece) {
        assert_int_equal(piece.error().code(), record_code::message_too_large);
        break;
      }
      given += piece->size();
      assert_true(given <= decompressed_bytes_max && !piece->empty());
    }
  }
}

static void exactly_the_limit_is_not_too_much(void**) {
  const test::Memory plain = sample(100'000, 0);
  Decompressor decompressor;
  for (const Codec codec : all_codecs) {
    const Block compressed = packed(codec, plain);
    Block again, none;
    assert_true(decompressor.decompress(codec, compressed.bytes(), again, plain.size()).ok());
    assert_false(decompressor.decompress(codec, compressed.bytes(), none, plain.size() - 1).ok());
  }
}

static void codecs_that_do_not_exist_are_refused(void**) {
  for (const int8_t id : {5, 6, 7, -1}) {
    assert_int_equal(refusal(static_cast<Codec>(id), as_bytes("x")), own_code::data);
    Compressor compressor;
    Block unused;
    assert_false(compressor.compress(static_cast<Codec>(id), 0, {}, unused).ok());
  }
}

int main() {
  const CMUnitTest tests[] = {
      cmocka_unit_test(what_java_compressed_is_read),
      cmocka_unit_test(every_codec_gives_back_what_it_took),
      cmocka_unit_test(every_level_of_kafkas_range_is_taken_and_no_other),
      cmocka_unit_test(lz4_and_snappy_are_framed_as_java_frames_them),
      cmocka_unit_test(snappy_without_its_framing_is_one_raw_block),
      cmocka_unit_test(snappy_that_claims_more_than_it_can_hold_is_refused_unallocated),
      cmocka_unit_test(other_lz4_frames_are_read_or_refused_as_java_does),
      cmocka_unit_test(gzip_members_follow_each_other_and_the_rest_is_ignored),
      cmocka_unit_test(zstd_frames_follow_each_other_and_garbage_is_refused),
      cmocka_unit_test(anything_cut_short_is_refused),
      cmocka_unit_test(a_bomb_is_refused_at_the_limit),
      cmocka_unit_test(exactly_the_limit_is_not_too_much),
      cmocka_unit_test(codecs_that_do_not_exist_are_refused),
  };
  return cmocka_run_group_tests_name("record.compression", tests, nullptr, nullptr);
}
