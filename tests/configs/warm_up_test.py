# Copyright 2026 The GRW-smoothing Authors. All Rights Reserved.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.

"""The paper's warm-up can be trained as far as the paper describes it."""

import logging
import pathlib

from official.core import exp_factory
from official.modeling import hyperparams
from official.vision.modeling import classification_model
from official.vision.modeling.backbones import mobilenet
import tensorflow as tf

from official_ext.grw.datasets import airplanes
from official_ext.grw.files import screen
from official_ext.grw.training import launch
from tests import tiny

CONFIG = (
  pathlib.Path(__file__).parents[2] / 'configs/airplanes_mobilenet_v3_grw.yaml'
)


def warm_up():
  return hyperparams.override_params_dict(
    exp_factory.get_exp_config('movinet_grw_airplanes'),
    str(CONFIG),
    is_strict=True,
  )


def test_it_is_a_mobilenet_and_one_transformer_layer_on_1000_and_100_clips():
  params = warm_up()
  params.validate()
  task = params.task
  assert task.model.backbone.type == 'mobilenet_v3'
  # A frame at a time, as "calculates embeddings per frame" says.
  assert task.model.backbone.mobilenet_v3.temporal == 'none'
  assert task.model.head.num_layers == 1
  for data, clips in ((task.train_data, 1000), (task.validation_data, 100)):
    name = data.tfds_name.removeprefix('airplanes/')
    config = airplanes.AirplanesConfig.from_name(name)
    assert config.num_clips(data.tfds_split) == data.num_examples == clips
  # As many steps as the demonstration.
  steps = params.trainer.train_steps
  assert steps == 12 * (1000 // 16) and 0.95 < steps / (3 * 4000 / 16) < 1.05


def test_it_trains_from_an_image_model_and_says_so_without_one(
  tmp_path, caplog
):
  backbone = mobilenet.MobileNet('MobileNetV3Tiny')
  images = classification_model.ClassificationModel(backbone, 10)
  checkpoint = tf.train.Checkpoint(model=images).save(str(tmp_path / 'image'))
  values = tiny.overrides(
    tiny.write_records(tmp_path / 'train', [0, 1, 2, 0]),
    tiny.write_records(tmp_path / 'valid', [0, 1, 2, 0]),
    **tiny.EAGER,
    train_steps=1,
    steps_per_loop=1,
    summary_interval=1,
    checkpoint_interval=1,
    validation_steps=1,
  )
  values['task']['model'] = {
    'backbone': {'mobilenet_v3': {'size': 'tiny'}},
    'smoothing': {'window': 3},
    'head': {'num_heads': 2},
  }
  logger = logging.getLogger('absl')
  for init, said in (
    (checkpoint, 'image'),
    ('', 'all weights start at random'),
  ):
    params = warm_up()
    params.override(values)
    params.override(
      {
        'runtime': {'distribution_strategy': 'one_device'},
        'task': {'init_checkpoint': init},
      }
    )
    params.validate()
    caplog.clear()
    logger.addHandler(caplog.handler)
    try:
      with caplog.at_level(logging.INFO, logger=screen.TOLD):
        experiment = launch.build_runner(
          params, 'train', str(tmp_path / f'model_{bool(init)}')
        )
    finally:
      logger.removeHandler(caplog.handler)
    assert said in caplog.text
    experiment.controller.train(steps=1)
    assert int(experiment.trainer.global_step.numpy()) == 1
