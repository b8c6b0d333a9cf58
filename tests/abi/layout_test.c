/* The layout of what programs fill in or read themselves, on 64-bit Linux; and kq.h as pedantic C99.  Offsets never change; a size
 * grows with a release that adds members at the end. */
#include <kq/kq.h>

#include "layout.h"

#define member(type, name, at) checks += check_member(#type "." #name, offsetof(type, name), at)

int main(void) {
  int checks = 0;
  member(kq_record, size, 0);
  member(kq_record, topic, 8);
  member(kq_record, partition, 16);
  member(kq_record, offset, 24);
  member(kq_record, timestamp_ms, 32);
  member(kq_record, key, 40);
  member(kq_record, key_len, 48);
  member(kq_record, value, 56);
  member(kq_record, value_len, 64);
  member(kq_record, headers, 72);
  member(kq_record, header_count, 80);
  member(kq_record, tag, 88);
  member(kq_record, leader_epoch, 96);
  member(kq_record, delivery_count, 100);
  member(kq_record, timestamp_type, 102);
  member(kq_header, key, 0);
  member(kq_header, key_len, 8);
  member(kq_header, value, 16);
  member(kq_header, value_len, 24);
  member(kq_topic_partition, size, 0);
  member(kq_topic_partition, topic, 8);
  member(kq_topic_partition, partition, 16);
  member(kq_topic_partition, offset, 24);
  member(kq_topic_partition, leader_epoch, 32);
  member(kq_topic_partition, metadata, 40);
  member(kq_option, doc, 48);
  member(kq_field, type, 16);
  member(kq_field, doc, 32);
  checks += check_member("sizeof kq_record", sizeof(kq_record), 104);
  checks += check_member("sizeof kq_header (never grows)", sizeof(kq_header), 32);
  checks += check_member("sizeof kq_topic_partition", sizeof(kq_topic_partition), 48);
  {
    const kq_record record = KQ_RECORD_INIT;
    const kq_topic_partition partition = KQ_TOPIC_PARTITION_INIT;
    checks += check_member("KQ_RECORD_INIT.size", record.size, sizeof record);
    checks += check_member("KQ_RECORD_INIT.partition", (size_t)(record.partition + 1), 0);
    checks += check_member("KQ_RECORD_INIT.leader_epoch", (size_t)(record.leader_epoch + 1), 0);
    checks += check_member("KQ_TOPIC_PARTITION_INIT.offset", (size_t)(partition.offset - KQ_DEFAULT), 0);
  }
  return checks_failed(checks);
}
