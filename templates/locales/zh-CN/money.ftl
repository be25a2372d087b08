given-to-others = 送给其他主播
why-given-to-others = 在本直播间送给其他主播的礼物（连麦等），记在收礼主播名下，不计入本房间的任何收入。
