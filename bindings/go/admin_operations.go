package kq

import "context"

// NewTopic is a topic to be made.  Zero partitions or replicas: as many as the cluster's default says.
type NewTopic struct {
	Name       string
	Partitions int
	Replicas   int
	Config     map[string]string
}

// Topic is one of the cluster's.
type Topic struct {
	Name       string
	ID         string
	Internal   bool
	Partitions int
}

// PartitionInfo tells where a partition is.
type PartitionInfo struct {
	Partition   int32
	Leader      int32 // -1: none at the moment
	LeaderEpoch int32
	Replicas    []int32
	InSync      []int32
	Offline     []int32
}

// TopicDescription is a topic with its partitions.
type TopicDescription struct {
	Topic
	Placement []PartitionInfo
}

// CreateTopics makes topics.  The error is that of the first that failed; the others are made.
func (a *Admin) CreateTopics(ctx context.Context, topics ...NewTopic) error {
	items := make([]Item, len(topics))
	for i, topic := range topics {
		items[i] = Item{"topic": topic.Name}
		if topic.Partitions != 0 {
			items[i]["partitions"] = topic.Partitions
		}
		if topic.Replicas != 0 {
			items[i]["replication_factor"] = topic.Replicas
		}
		var config []string
		for key, value := range topic.Config {
			config = append(config, key+"="+value)
		}
		items[i]["config"] = config
	}
	return a.each(ctx, "create_topics", nil, items)
}

// CreateTopic makes a topic.
func (a *Admin) CreateTopic(ctx context.Context, name string, partitions int) error {
	return a.CreateTopics(ctx, NewTopic{Name: name, Partitions: partitions})
}

// DeleteTopics deletes topics.
func (a *Admin) DeleteTopics(ctx context.Context, topics ...string) error {
	return a.each(ctx, "delete_topics", nil, named("topic", topics))
}

// CreatePartitions makes a topic have that many.
func (a *Admin) CreatePartitions(ctx context.Context, topic string, total int) error {
	return a.each(ctx, "create_partitions", nil, []Item{{"topic": topic, "partitions": total}})
}

// ListTopics lists the cluster's topics but for its internal ones.
func (a *Admin) ListTopics(ctx context.Context) ([]Topic, error) {
	rows, err := a.Run(ctx, "list_topics", nil)
	var topics []Topic
	for _, row := range rows {
		topics = append(topics, topicOf(row, int(row.Int("partitions"))))
	}
	return topics, err
}

// DescribeTopics tells where the partitions of these topics are, or of all.
func (a *Admin) DescribeTopics(ctx context.Context, topics ...string) ([]TopicDescription, error) {
	rows, err := a.Run(ctx, "describe_topics", nil, named("topic", topics)...)
	var list []TopicDescription
	for _, row := range rows {
		if row.Err != nil {
			return nil, row.Err
		}
		partitions := row.Rows("partitions")
		topic := TopicDescription{Topic: topicOf(row, len(partitions))}
		for _, each := range partitions {
			topic.Placement = append(topic.Placement, PartitionInfo{
				Partition: int32(each.Int("partition")), Leader: int32(each.Int("leader")), LeaderEpoch: int32(each.Int("leader_epoch")),
				Replicas: nodes(each.Rows("replicas")), InSync: nodes(each.Rows("isr")), Offline: nodes(each.Rows("offline")),
			})
		}
		list = append(list, topic)
	}
	return list, err
}

// Node is a broker.
type Node struct {
	ID   int32
	Host string
	Port int
	Rack string
}

// Cluster is what the brokers say of themselves.
type Cluster struct {
	ID         string
	Controller int32
	Nodes      []Node
}

// DescribeCluster asks who is there.
func (a *Admin) DescribeCluster(ctx context.Context) (Cluster, error) {
	rows, err := a.Run(ctx, "describe_cluster", nil)
	if err != nil || len(rows) == 0 {
		return Cluster{}, err
	}
	cluster := Cluster{ID: rows[0].String("cluster_id"), Controller: int32(rows[0].Int("controller"))}
	for _, node := range rows[0].Rows("nodes") {
		cluster.Nodes = append(cluster.Nodes, Node{int32(node.Int("node")), node.String("host"), int(node.Int("port")), node.String("rack")})
	}
	return cluster, rows[0].Err
}

// TopicConfig gives a topic's settings.
func (a *Admin) TopicConfig(ctx context.Context, topic string) (map[string]string, error) {
	return a.config(ctx, "topic", topic)
}

// SetTopicConfig changes some of a topic's settings.
func (a *Admin) SetTopicConfig(ctx context.Context, topic string, config map[string]string) error {
	return a.setConfig(ctx, "topic", topic, config)
}

// GroupConfig gives a group's settings.
func (a *Admin) GroupConfig(ctx context.Context, group string) (map[string]string, error) {
	return a.config(ctx, "group", group)
}

// SetGroupConfig changes some of a group's settings, which may have no members yet: share.auto.offset.reset, for instance.
func (a *Admin) SetGroupConfig(ctx context.Context, group string, config map[string]string) error {
	return a.setConfig(ctx, "group", group, config)
}

func (a *Admin) config(ctx context.Context, kind, name string) (map[string]string, error) {
	rows, err := a.Run(ctx, "describe_configs", nil, Item{"resource_type": kind, "resource": name})
	config := map[string]string{}
	for _, row := range rows {
		if row.Err != nil {
			return nil, row.Err
		}
		for _, each := range row.Rows("configs") {
			config[each.String("config")] = each.String("value")
		}
	}
	return config, err
}

func (a *Admin) setConfig(ctx context.Context, kind, name string, config map[string]string) error {
	var items []Item
	for key, value := range config {
		items = append(items, Item{"resource_type": kind, "resource": name, "config": key, "value": value})
	}
	return a.each(ctx, "alter_configs", nil, items)
}

// Offsets asks for the first (OffsetEarliest) or next (OffsetLatest) offset of partitions, as the Offset of each says.
func (a *Admin) Offsets(ctx context.Context, partitions ...TopicPartition) ([]TopicPartition, error) {
	items := make([]Item, len(partitions))
	for i, each := range partitions {
		items[i] = Item{"topic": each.Topic, "partition": each.Partition, "timestamp": each.Offset}
	}
	if len(items) == 0 {
		return nil, nil
	}
	rows, err := a.Run(ctx, "list_offsets", nil, items...)
	return offsetsOf(rows, err)
}

// Group is a group of consumers.
type Group struct {
	ID       string
	Type     string
	Protocol string
	State    string
}

// ListGroups lists the cluster's groups.
func (a *Admin) ListGroups(ctx context.Context) ([]Group, error) {
	rows, err := a.Run(ctx, "list_groups", nil)
	var groups []Group
	for _, row := range rows {
		groups = append(groups, Group{row.String("group"), row.String("type"), row.String("protocol_type"), row.String("state")})
	}
	return groups, err
}

// DeleteGroups deletes groups without members.
func (a *Admin) DeleteGroups(ctx context.Context, groups ...string) error {
	return a.each(ctx, "delete_groups", nil, named("group", groups))
}

// GroupOffsets tells what a group has committed.
func (a *Admin) GroupOffsets(ctx context.Context, group string) ([]TopicPartition, error) {
	rows, err := a.Run(ctx, "list_group_offsets", nil, Item{"group": group})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	if rows[0].Err != nil {
		return nil, rows[0].Err
	}
	return offsetsOf(rows[0].Rows("offsets"), nil)
}

// SetGroupOffsets changes what a group without members has committed.
func (a *Admin) SetGroupOffsets(ctx context.Context, group string, offsets ...TopicPartition) error {
	items := make([]Item, len(offsets))
	for i, each := range offsets {
		items[i] = Item{"topic": each.Topic, "partition": each.Partition, "offset": each.Offset}
		if each.Metadata != "" {
			items[i]["metadata"] = each.Metadata
		}
	}
	return a.each(ctx, "alter_group_offsets", Item{"group": group}, items)
}

// each runs an operation of which the rows' errors are all that there is to know.  Without items there is nothing to do.
func (a *Admin) each(ctx context.Context, operation string, parameters Item, items []Item) error {
	if len(items) == 0 {
		return checkContext(ctx)
	}
	rows, err := a.Run(ctx, operation, parameters, items...)
	for _, row := range rows {
		if err == nil {
			err = row.Err
		}
	}
	return err
}

func named(parameter string, names []string) []Item {
	items := make([]Item, len(names))
	for i, name := range names {
		items[i] = Item{parameter: name}
	}
	return items
}

func topicOf(row Row, partitions int) Topic {
	return Topic{row.String("topic"), row.String("topic_id"), row.Int("internal") == 1, partitions}
}

func nodes(rows []Row) []int32 {
	var list []int32
	for _, row := range rows {
		list = append(list, int32(row.Int("node")))
	}
	return list
}

func offsetsOf(rows []Row, err error) ([]TopicPartition, error) {
	var list []TopicPartition
	for _, row := range rows {
		if err == nil {
			err = row.Err
		}
		list = append(list, TopicPartition{Topic: row.String("topic"), Partition: int32(row.Int("partition")), Offset: row.Int("offset"),
			Metadata: row.String("metadata"), LeaderEpoch: epochToGo(int32(row.Int("leader_epoch")))})
	}
	return list, err
}
