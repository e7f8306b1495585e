// SHA-256 (FIPS 180-4), by which a bundle's model.onnx is known to be the one that was exported.
#ifndef E2EGRAPH_SHA256_H
#define E2EGRAPH_SHA256_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace e2egraph {

namespace detail {

// FIPS 180-4, section 4.2.2: fractional parts of the cube roots of the first 64 primes.
inline constexpr std::array<std::uint32_t, 64> sha256_constants{{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2}};

inline std::uint32_t rotate(std::uint32_t x, unsigned by) { return (x >> by) | (x << (32 - by)); }

// Section 6.2.2: one block of 64 bytes.
inline void sha256_block(std::array<std::uint32_t, 8>& hash, const unsigned char* block) {
  std::array<std::uint32_t, 64> w{};
  for (std::size_t t = 0; t < 16; ++t)
    for (std::size_t byte = 0; byte < 4; ++byte)
      w[t] = (w[t] << 8) | block[4 * t + byte];
  for (std::size_t t = 16; t < 64; ++t) {
    const std::uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ (w[t - 15] >> 3);
    const std::uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ (w[t - 2] >> 10);
    w[t] = s1 + w[t - 7] + s0 + w[t - 16];
  }
  auto [a, b, c, d, e, f, g, h] = hash;
  for (std::size_t t = 0; t < 64; ++t) {
    const std::uint32_t t1 = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) +
                             sha256_constants[t] + w[t];
    const std::uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
  }
  const std::array<std::uint32_t, 8> sums{{a, b, c, d, e, f, g, h}};
  for (std::size_t i = 0; i < 8; ++i)
    hash[i] += sums[i];
}

}  // namespace detail

// The digest as 64 hexadecimal digits.
inline std::string sha256(const std::string& content) {
  // Section 5.3.3: fractional parts of the square roots of the first eight primes.
  std::array<std::uint32_t, 8> hash{
      {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
  const std::size_t whole = content.size() / 64 * 64;
  for (std::size_t at = 0; at < whole; at += 64)
    detail::sha256_block(hash, reinterpret_cast<const unsigned char*>(content.data()) + at);
  // Section 5.1.1: a one bit, zeros, and the length in bits as 64 bits, big-endian.
  std::string rest = content.substr(whole) + '\x80';
  rest.resize(rest.size() <= 56 ? 56 : 120, '\0');
  for (int byte = 7; byte >= 0; --byte)
    rest += static_cast<char>((static_cast<std::uint64_t>(content.size()) * 8) >> (8 * byte));
  for (std::size_t at = 0; at < rest.size(); at += 64)
    detail::sha256_block(hash, reinterpret_cast<const unsigned char*>(rest.data()) + at);
  std::string digits;
  for (const std::uint32_t word : hash)
    for (int shift = 28; shift >= 0; shift -= 4)
      digits += "0123456789abcdef"[(word >> shift) & 15];
  return digits;
}

}  // namespace e2egraph

#endif
